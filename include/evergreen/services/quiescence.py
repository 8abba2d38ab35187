"""Is the loop idle? Asked by whoever moves the replay clock: it may only move when nothing is under way.

Guarantee: idle means that nothing was under way at one instant. Failure: work moves between the places while they are looked at one
after the other (from Kafka into Postgres, from there back). Remedy: Postgres is looked at before and after Kafka, and any new row in
between counts as work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from evergreen.contracts.topics import CONTROL_TOPICS
from evergreen.core.clock import Clock
from evergreen.core.errors import Unavailable
from evergreen.ports.messaging import ConsumerLag
from evergreen.ports.records import RecordStore, Work
from evergreen.services import index_stream, record_interactions, record_stream
from evergreen.services.replay import Backlog
from evergreen.services.tick import Tick

INTAKE_GROUP = "evergreen-intake"
INDEXER_DATA_GROUP = "evergreen-indexer-data"
INDEXER_RECORDS_GROUP = "evergreen-indexer-records"
RECOMMENDER_GROUP = "evergreen-recommender"
GROUPS = {
    INTAKE_GROUP: CONTROL_TOPICS,
    INDEXER_DATA_GROUP: index_stream.TOPICS,
    INDEXER_RECORDS_GROUP: record_stream.TOPICS,
    RECOMMENDER_GROUP: record_interactions.TOPICS,
}
"""What each reads. A group that never committed anything is not part of the stack."""
log = structlog.get_logger(__name__)


class Quiescence:
    def __init__(self, store: RecordStore, lag: ConsumerLag, clock: Clock, tick: Tick, groups: Mapping[str, Sequence[str]] = GROUPS) -> None:
        self._store = store
        self._lag = lag
        self._clock = clock
        self._tick = tick
        self._groups = groups

    def backlog(self) -> Backlog:
        """A part that does not answer is work to wait for: nothing can be said then."""
        try:
            return self._look()
        except Unavailable as error:
            log.info("cannot_say_if_idle", error=str(error))
            return Backlog({"parts that do not answer": 1}, None)

    def pending(self) -> dict[str, Any]:
        """The same for a script."""
        backlog = self.backlog()
        return {**backlog.open, "idle": backlog.idle, "next_due": None if backlog.next_due is None else backlog.next_due.isoformat()}

    def _look(self) -> Backlog:
        before = self._work()
        behind = {f"lag of {group}": sum(self._lag.behind(group, topics).values()) for group, topics in self._groups.items()}
        timers = self._tick.pending()
        after = self._work()
        work = {
            **behind,
            "undecided events": after.undecided,
            "unsent outbox rows": after.unsent,
            "due actions": after.due,
            "actions under way": after.out,
            "due timers": timers,
            "rows just written": int(before.mark != after.mark),
        }
        return Backlog(work, after.next_due)

    def _work(self) -> Work:
        now = self._clock.now()
        with self._store.transaction() as tx:
            return tx.work.count(now)
