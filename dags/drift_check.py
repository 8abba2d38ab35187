"""Compare what the champion was trained on with the newest lists, feature by feature.

Rung by an action `drift_check`, which a `data_processed` event led to. Says `data_drift_detected` when a feature is affected; else the
report is recorded and nothing is said. Without a champion it records `no_champion`.

**Triage**
- Drift found is *not* a red run. What follows (monitor, retrain) is the policy's: see the explain link of the retrain it led to.
- Red `compare_windows`: the champion's reference profile or the silver table cannot be read. Look for the version in MLflow (link on the task).
- Columns that are empty, constant or new are findings in the report, never errors.
- Many windows in one action: the checks waited while Airflow was down or paused. They are done in order.
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

KIND = ActionKind.DRIFT_CHECK


@dag(schedule=doorbell(KIND), params=forms.form(forms.model(), forms.dataset(), forms.days()), tags=[Tag.LOOP, Tag.DATA, Tag.WATCH], doc_md=__doc__, **RUNG)
def drift_check() -> None:
    @task(**WORK)
    def compare_windows(claim: dict[str, Any]) -> dict[str, Any]:
        return carry_out(claim)

    @teardown
    @task(**RING)
    def ring_for_more() -> int:
        return ring_again(KIND)

    compare_windows(ActionSensor(kind=KIND).output) >> ring_for_more()


drift_check()
