"""What the monitor reads across the loop's tables."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg2.extensions

from evergreen.contracts.topics import DEAD_LETTER
from evergreen.ports.monitoring import Feed, LedgerFigures, LoopFigures

_DAY = timedelta(days=1)
_NEWEST_BATCHES = 60
_LETTERS = """SELECT count(*) FROM outbox o WHERE topic = %(dead)s AND NOT EXISTS (SELECT FROM redriven r WHERE r.letter_id = o.event_id)"""

_NEWEST = """(SELECT body::jsonb AS body FROM decisions ORDER BY recorded_at DESC LIMIT 1000) d,
    LATERAL jsonb_array_elements(d.body->'answers') answer"""
_ANSWERS = f"SELECT answer->>'action', answer->>'outcome', count(*) FROM {_NEWEST} GROUP BY 1, 2 ORDER BY 1, 2"
_STOPPED = f"""SELECT guard->>'guard', count(*) FROM {_NEWEST}, LATERAL jsonb_array_elements(answer->'guards') guard
    WHERE NOT (guard->>'passed')::boolean GROUP BY 1 ORDER BY 1"""

_LEDGER = """SELECT v.model, count(*), sum(v.cost_seconds), count(l.closed), avg(l.realised), coalesce(sum(l.avoided), 0)
    FROM model_versions v LEFT JOIN ledger l USING (model, version) GROUP BY v.model ORDER BY v.model"""


class PostgresObservations:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def version_in_bake(self) -> str | None:
        found = self._rows(
            """SELECT c.model || '@' || c.version FROM champions c
               JOIN deployments d ON d.id = c.deployment_id JOIN model_versions v ON v.model = c.model AND v.version = c.version
               WHERE d.stable_from IS NULL AND NOT v.stable ORDER BY c.since DESC LIMIT 1"""
        )
        return str(found[0][0]) if found else None

    def last_monitor_actions(self) -> dict[str, datetime]:
        return dict(self._rows("SELECT model, max(accepted_at) FROM actions WHERE kind = 'monitor' GROUP BY model"))

    def models_with_champion(self) -> list[str]:
        return [str(model) for (model,) in self._rows("SELECT model FROM champions ORDER BY model")]

    def feeds(self) -> list[Feed]:
        rows = self._rows(
            """SELECT dataset, min(ingested_time), (array_agg(first_day ORDER BY last_day DESC))[:%(newest)s],
                   (array_agg(last_day ORDER BY last_day DESC))[:%(newest)s]
               FROM batches WHERE status = 'accepted' GROUP BY dataset ORDER BY dataset""",
            {"newest": _NEWEST_BATCHES},
        )
        return [Feed(dataset, first, list(zip(starts, ends, strict=True))) for dataset, first, starts, ends in rows]

    def figures(self, now: datetime) -> LoopFigures:
        values = {"since": now - _DAY, "dead": DEAD_LETTER}
        unsent, oldest = self._rows("SELECT count(*), coalesce(clock_timestamp() - min(created_at), '0') FROM outbox WHERE sent_at IS NULL")[0]
        letters = self._rows(_LETTERS, values)
        receive, decide = self._hops()
        return LoopFigures(
            events=dict(self._rows("SELECT type, count(*) FROM events WHERE time > %(since)s GROUP BY type ORDER BY type", values)),
            decisions=dict(self._rows("SELECT outcome, count(*) FROM decisions WHERE decided_at > %(since)s GROUP BY outcome ORDER BY outcome", values)),
            answers={(action, outcome): count for action, outcome, count in self._rows(_ANSWERS)},
            stopped=dict(self._rows(_STOPPED)),
            actions={
                (kind, status): count
                for kind, status, count in self._rows(
                    "SELECT kind, status, count(*) FROM actions WHERE accepted_at > %(since)s GROUP BY kind, status ORDER BY kind, status", values
                )
            },
            unsent=unsent,
            oldest_unsent=oldest,
            dead_letters=letters[0][0],
            receive_p99=receive,
            decide_p99=decide,
            ledger={model: LedgerFigures(*found) for model, *found in self._rows(_LEDGER)},
        )

    def _hops(self) -> tuple[float | None, float | None]:
        """Of the newest thousand events, by wall-clock stamps."""
        receive, decide = self._rows(
            """SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM e.received_at - e.produced_at)),
                   percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM d.recorded_at - e.received_at))
               FROM (SELECT * FROM events ORDER BY seq DESC LIMIT 1000) e
               LEFT JOIN decisions d ON d.event_source = e.source AND d.event_id = e.id"""
        )[0]
        return receive, decide

    def _rows(self, statement: str, values: dict[str, object] | None = None) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
