"""Keep house: retention, deferred work, reconciliation, the daily report.

Rung by an action `maintenance` from the tick, daily, in the policy's maintenance window of the platform clock.

**Triage**
- Red `keep_house`: nothing that serves depends on it today. Read the log; each chore is its own transaction and is done again tomorrow.
- Red for days: old partitions and files pile up. `evergreen doctor` says how much disk is left.
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

KIND = ActionKind.MAINTENANCE


@dag(schedule=doorbell(KIND), params=forms.form(), tags=[Tag.LOOP, Tag.UPKEEP], doc_md=__doc__, **RUNG)
def maintenance() -> None:
    @task(**WORK)
    def keep_house(claim: dict[str, Any]) -> dict[str, Any]:
        return carry_out(claim)

    @teardown
    @task(**RING)
    def ring_for_more() -> int:
        return ring_again(KIND)

    keep_house(ActionSensor(kind=KIND).output) >> ring_for_more()


maintenance()
