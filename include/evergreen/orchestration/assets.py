"""The doorbell as Airflow sees it: one asset per kind, watched by one trigger each, all on one Kafka consumer."""

from __future__ import annotations

from airflow.sdk import Asset, AssetWatcher

from evergreen.contracts.actions import ActionKind
from evergreen.contracts.topics import ACTIONS
from evergreen.orchestration.trigger import ActionTrigger


def doorbell(kind: ActionKind) -> Asset:
    """Rung by `action_requested` of this kind only. Never the work list: that is the table `actions`."""
    watcher = AssetWatcher(name=f"{kind}_doorbell", trigger=ActionTrigger(kind=kind.value))
    return Asset(name=f"{ACTIONS}/{kind}", uri=f"kafka://events/{ACTIONS}/{kind}", group="doorbell", watchers=[watcher])
