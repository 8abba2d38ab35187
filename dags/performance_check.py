"""Join predictions with the feedback that came in, and compare the error with the champion's baseline.

Rung by an action `performance_check` from the tick, or by hand. Says `model_performance_degraded` when the whole confidence interval of
the drop lies above the bound; with too few labels it records so and says nothing.

**Triage**
- "Not enough labels" is *not* a red run: feedback comes late. Look at label coverage in the result before worrying.
- Red `score_predictions`: the predictions or feedback tables cannot be read, or the previous champion (the shadow) cannot be loaded.
- A drop was found but no rollback followed: the policy asks whether the older version was better on the same rows. The decision says which.
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

KIND = ActionKind.PERFORMANCE_CHECK


@dag(schedule=doorbell(KIND), params=forms.form(forms.model()), tags=[Tag.LOOP, Tag.MODELS, Tag.WATCH], doc_md=__doc__, **RUNG)
def performance_check() -> None:
    @task(**WORK)
    def score_predictions(claim: dict[str, Any]) -> dict[str, Any]:
        return carry_out(claim)

    @teardown
    @task(**RING)
    def ring_for_more() -> int:
        return ring_again(KIND)

    score_predictions(ActionSensor(kind=KIND).output) >> ring_for_more()


performance_check()
