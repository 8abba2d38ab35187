"""Make an approved version the champion: every serving worker loads and confirms it, else nothing changes.

Rung by an action `promote`, which an approved `model_evaluation_completed` led to, or by hand (forced promotions skip the gates and are
recorded as such). Says `model_deployed` after the last confirmation. Where the policy wants it, `claim` first asks a person (*Required Actions*).

**Triage**
- `claim` in *awaiting input*: a person is asked. Green with the rest skipped and *rejected* in its note: nothing was changed, nor will be.
- Red `change_champion` with *not confirmed*: a serving worker did not load the version within 30 s. The old champion serves.
  `evergreen status` shows the workers, `evergreen logs serving` why one refused.
- Red with *another promotion came first*: two raced, exactly one won. Look at `evergreen models history`.
- Never repair by editing tables or MLflow aliases: aliases are a projection and are put back within seconds.
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

KIND = ActionKind.PROMOTE


@dag(schedule=doorbell(KIND), params=forms.form(forms.model(), forms.version(), forms.force()), tags=[Tag.LOOP, Tag.SERVING], doc_md=__doc__, **ASKS)
def promote() -> None:
    @task(**WORK)
    def change_champion(claim: dict[str, Any]) -> dict[str, Any]:
        return carry_out(claim)

    @teardown
    @task(**RING)
    def ring_for_more() -> int:
        return ring_again(KIND)

    change_champion(ActionSensor(kind=KIND).output) >> ring_for_more()


promote()
