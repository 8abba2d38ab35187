"""Put the last stable version back, warmed before the flip, and quarantine the one that failed.

Rung by an action `rollback`: a degraded champion with an older version that was better on the same rows, a failing serving version in its
bake period, or a person. Says `model_deployed` of kind `rollback`. Where the policy wants it, `claim` first asks a person (*Required Actions*).

**Triage**
- `claim` in *awaiting input*: a person is asked. Green with the rest skipped and *rejected* in its note: the champion stays.
- Red `change_back` with *no stable version*: none can be loaded. The champion keeps serving; retrain, or promote a version by force.
- Red with *never earned stable*: a person named that version. *Force* goes there all the same; a quarantined one stays refused.
- Red with *not confirmed*: as for `promote`; the champion before this run serves.
- Rolled back, and the error stays: the world changed, not the model. Drift and a retrain are the way out; a second rollback is not.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag, task, teardown

from evergreen.contracts.actions import ActionKind
from evergreen.orchestration import forms
from evergreen.orchestration.assets import doorbell
from evergreen.orchestration.sensor import ActionSensor
from evergreen.orchestration.tags import Tag
from evergreen.orchestration.work import ASKS, RING, WORK, carry_out, ring_again

KIND = ActionKind.ROLLBACK


@dag(schedule=doorbell(KIND), params=forms.form(forms.model(), forms.earlier_version(), forms.unstable()), tags=[Tag.LOOP, Tag.SERVING], doc_md=__doc__, **ASKS)
def rollback() -> None:
    @task(**WORK)
    def change_back(claim: dict[str, Any]) -> dict[str, Any]:
        return carry_out(claim)

    @teardown
    @task(**RING)
    def ring_for_more() -> int:
        return ring_again(KIND)

    change_back(ActionSensor(kind=KIND).output) >> ring_for_more()


rollback()
