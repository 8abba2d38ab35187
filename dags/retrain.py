"""Train a candidate on a point-in-time snapshot and log it to MLflow.

Rung by an action `retrain`: drift, a degraded champion, more data, or a person. Says `model_training_started`, then
`model_training_completed`, which leads to `evaluate`. One retrain per model at a time.

**Triage**
- Red `train_candidate` with *not enough data*: the window since the last change point is too short. It is tried again after the cooldown.
- Red with *Unavailable*: MLflow or Postgres was away longer than the retries. The action comes back by itself (30 s, then 60 s), three times.
- A run that ended without a version: look for the MLflow run tagged `evergreen.action_id` (link on the task); the next run goes on with it.
- Green, but nothing was promoted: a candidate has to pass `evaluate`. Its scorecard names the gate.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task, teardown

from evergreen.contracts.actions import ActionKind
from evergreen.orchestration import forms
from evergreen.orchestration.assets import doorbell
from evergreen.orchestration.sensor import ActionSensor
from evergreen.orchestration.tags import Tag
from evergreen.orchestration.work import LONG_WORK, RING, RUNG, carry_out, ring_again

KIND = ActionKind.RETRAIN


@dag(schedule=doorbell(KIND), params=forms.form(forms.model()), tags=[Tag.LOOP, Tag.MODELS], doc_md=__doc__, **RUNG)
def retrain() -> None:
    @task(**LONG_WORK)
    def train_candidate(claim: dict[str, Any]) -> dict[str, Any]:
        return carry_out(claim)

    @teardown
    @task(**RING)
    def ring_for_more() -> int:
        return ring_again(KIND)

    train_candidate(ActionSensor(kind=KIND).output) >> ring_for_more()


retrain()
