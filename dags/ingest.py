"""Take an announced batch in: validate, dedupe, quarantine, write bronze, silver and gold.

Rung by an action `ingest`, which a `data_ingested` event led to. Says `data_processed`, and `data_quality_issue` where rows or the whole
batch were refused.

**Triage**
- A batch that cannot be read is *not* a red run: it is quarantined with a reason and said on `data.quality.issues`.
- Red `store_batch`: the lake or Postgres. Disk full or a folder not writable shows in the log's last lines; `evergreen doctor` names it.
- The same batch fails three times: the action is failed, an alert is raised. Announce the file again once the cause is gone; it is stored once.
- `claim` green, the rest skipped: the batch went to an earlier run. Nothing to do.
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

KIND = ActionKind.INGEST


@dag(schedule=doorbell(KIND), params=forms.form(forms.dataset(), forms.batch_path(), forms.days()), tags=[Tag.LOOP, Tag.DATA], doc_md=__doc__, **RUNG)
def ingest() -> None:
    @task(**WORK)
    def store_batch(claim: dict[str, Any]) -> dict[str, Any]:
        return carry_out(claim)

    @teardown
    @task(**RING)
    def ring_for_more() -> int:
        return ring_again(KIND)

    store_batch(ActionSensor(kind=KIND).output) >> ring_for_more()


ingest()
