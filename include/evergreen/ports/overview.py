"""The loop at a glance, aggregated where the rows are. Every call raises Unavailable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from evergreen.core.promises import Answered, Handling, Outcomes

Row = Mapping[str, Any]


class OverviewRows(Protocol):
    async def clock(self) -> Row | None:
        """The platform clock: mode, base, set_at, rate, epoch."""

    async def arrivals(self, minutes: int) -> Sequence[int]:
        """Events recorded per minute of wall time, the running one first; fewer than `minutes` where the newest few thousand reach less far."""

    async def newest_events(self, limit: int) -> Sequence[Row]:
        """What happened, without the loop's own bookkeeping, each with the first decision on it."""

    async def last_decision(self) -> Row | None:
        """The newest that did something, or was kept from it."""

    async def open_actions(self, limit: int) -> Row:
        """`pending`, `running` (claimed ones too), `asking` (a person) and the `first` few, most urgent first."""

    async def champions(self, trend: int) -> Sequence[Row]:
        """Each with its live workers, its last drift report and the scores of the last few."""

    async def firing(self, limit: int) -> Sequence[Row]:
        """What the monitor found and has not seen end."""

    async def handling(self) -> Handling: ...

    async def outcomes(self, since: datetime) -> Outcomes: ...

    async def answered(self, since: datetime, until: datetime) -> Answered: ...
