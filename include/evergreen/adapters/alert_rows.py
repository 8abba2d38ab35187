"""Alerts and silences as serving shows them."""

from __future__ import annotations

from datetime import datetime

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.contracts.api_system import AlertSaid, SilenceSaid
from evergreen.core.notices import Silence

_ALERTS = """
SELECT a.id, a.severity, a.title, a.title_ko, a.message, a.message_ko, a.model,
    coalesce(nullif(a.event_type, ''), substring(a.grouping FROM '[^|]*$')) AS event_type, a.event_id, a.time, a.outcome, coalesce(g.open, false) AS open
FROM alerts a LEFT JOIN alert_groups g USING (grouping) WHERE NOT a.resolves ORDER BY a.recorded_at DESC, a.seq DESC LIMIT $1
"""
_SILENCES = """
SELECT id, until, who, reason, created_time, model, event_type, up_to, ended_time, ended_by FROM silences
ORDER BY (ended_time IS NULL AND until > $1) DESC, created_time DESC LIMIT $2
"""


class AlertRows:
    """Every call raises Unavailable."""

    def __init__(self, postgres: AsyncPostgres) -> None:
        self._postgres = postgres

    async def alerts(self, limit: int) -> list[AlertSaid]:
        return [AlertSaid(**row) for row in await self._postgres.fetch(_ALERTS, limit)]

    async def silences(self, now: datetime, limit: int) -> list[SilenceSaid]:
        """`now`: platform time."""
        rows = await self._postgres.fetch(_SILENCES, now, limit)
        return [silence_said(Silence(*[row[place] for place in range(10)]), now) for row in rows]


def silence_said(row: Silence, now: datetime) -> SilenceSaid:
    return SilenceSaid(
        id=row.id,
        until_time=row.until,
        created_time=row.created_at,
        ended_time=row.ended_at,
        ended_by=row.ended_by,
        running=row.ended_at is None and row.until > now,
        who=row.who,
        reason=row.reason,
        model=row.model,
        event_type=row.event_type,
        up_to=row.up_to,
    )
