"""How far each consumer is behind, and whether it is at work at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from evergreen.core.errors import Unavailable
from evergreen.core.monitoring import is_stuck
from evergreen.ports.messaging import ConsumerLag

_KEPT = 240
log = structlog.get_logger(__name__)


class Backlogs:
    def __init__(self, lag: ConsumerLag, groups: Mapping[str, Sequence[str]], wall: Callable[[], datetime], *, stuck_after: timedelta) -> None:
        self._lag = lag
        self._groups = groups
        self._wall = wall
        self._stuck_after = stuck_after
        self._seen: dict[str, deque[tuple[datetime, int]]] = {group: deque(maxlen=_KEPT) for group in groups}

    @property
    def behind(self) -> Mapping[str, int]:
        """Messages by group, where known."""
        return {group: seen[-1][1] for group, seen in self._seen.items() if seen}

    def look(self) -> None:
        """Where Kafka does not answer nothing is known any more, and nobody is blamed."""
        for group, topics in self._groups.items():
            try:
                found = self._lag.behind(group, topics)
            except Unavailable as error:
                log.info("lag_not_known", group=group, error=str(error))
                self.forget()
                return
            if found:
                self._seen[group].append((self._wall(), sum(found.values())))

    def forget(self) -> None:
        for seen in self._seen.values():
            seen.clear()

    def fault(self, group: str) -> str | None:
        now, seen = self._wall(), self._seen[group]
        if not is_stuck(list(seen), now, lasting=self._stuck_after):
            return None
        return f"{seen[-1][1]} messages wait for {group} and none was taken for {self._stuck_after.total_seconds():.0f} s"
