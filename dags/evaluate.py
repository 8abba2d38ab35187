"""Hold the candidate against the champion through the gates, on the same held-out window.

Rung by an action `evaluate`, which `model_training_completed` led to. Says `model_evaluation_completed` with every gate and its numbers;
approved leads to `promote`, refused to an alert.

**Triage**
- A refused candidate is *not* a red run: gates fail closed, and an error inside one is a refusal with a reason.
- Red `pass_gates`: MLflow or Postgres was away. Repeating is safe; the verdict of one action is written once.
- An artifact refused (hash, signature, type not allowed): treat the registry as tampered with until the cause is known.
- The same gate refuses again and again: compare the scorecards of the versions (link on the task) before touching a threshold.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task, teardown

from evergreen.contracts.actions import ActionKind
from evergreen.orchestration import forms
from evergreen.orchestration.assets import doorbell
from evergreen.orchestration.sensor import ActionSensor
from evergreen.orchestration.tags import Tag
from evergreen.orchestration.work import RING, RUNG, WORK, carry_out, ring_again

KIND = ActionKind.EVALUATE


@dag(schedule=doorbell(KIND), params=forms.form(forms.model(), forms.version()), tags=[Tag.LOOP, Tag.MODELS], doc_md=__doc__, **RUNG)
def evaluate() -> None:
    @task(**WORK)
    def pass_gates(claim: dict[str, Any]) -> dict[str, Any]:
        return carry_out(claim)

    @teardown
    @task(**RING)
    def ring_for_more() -> int:
        return ring_again(KIND)

    pass_gates(ActionSensor(kind=KIND).output) >> ring_for_more()


evaluate()
