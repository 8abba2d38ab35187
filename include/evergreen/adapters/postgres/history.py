"""What decisions look at, read from the rows that were recorded: cooldowns, open actions, refusals and new rows are queries."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg2.extensions
from psycopg2.extras import RealDictCursor

from evergreen.contracts.actions import ActionKind
from evergreen.core.concerns import Catalogue
from evergreen.core.proposal import CORRECTIVE, RESPONSES
from evergreen.core.severity import Severity
from evergreen.core.state import Accepted, Champion, Corrective, OpenAction, State

_HORIZON = timedelta(days=1)
"""No cooldown, no storm and no back-off is longer (the policy refuses it), and limits are daily."""
_NEWEST_VERSIONS = 200
_OPEN = "status IN ('pending', 'claimed', 'running')"


class PostgresHistory:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def states(self, models: Sequence[str], catalogue: Catalogue, event_types: Sequence[str], now: datetime) -> dict[str, State]:
        waiting, accepted, corrective = self._open(models), self._accepted(models, event_types, now), self._corrective(models, now)
        champions, not_stable, paused = self._champions(models), self._not_stable(models), self._paused()
        states = {}
        for model in models:
            states[model] = State(
                model=model,
                datasets=tuple(catalogue.get(model, ())),
                accepted=tuple(accepted[model]),
                open=tuple(waiting[model]),
                corrective=tuple(corrective[model]),
                champion=champions.get(model),
                not_stable=tuple(not_stable[model]),
                paused=paused,
                **(self._rows(model, catalogue[model], waiting[model]) if model in catalogue else {}),
            )
        return self._with_failures(states, now)

    def caused_by(self, event_id: str) -> list[UUID]:
        """Actions an event led to or was absorbed by, oldest first."""
        wanted = json.dumps([{"id": event_id}])
        return [row["id"] for row in self._all("SELECT id FROM actions WHERE causes @> %s::jsonb ORDER BY created_at, id", (wanted,))]

    def typical_durations(self) -> Mapping[ActionKind, timedelta]:
        rows = self._all(
            """SELECT kind, percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - claimed_at)) AS seconds
               FROM actions WHERE status = 'succeeded' AND claimed_at IS NOT NULL GROUP BY kind""",
            (),
        )
        return {ActionKind(row["kind"]): timedelta(seconds=row["seconds"]) for row in rows}

    def _open(self, models: Sequence[str]) -> Mapping[str, list[OpenAction]]:
        found: dict[str, list[OpenAction]] = defaultdict(list)
        rows = self._all(
            f"""SELECT id, kind, model, target, status, reason, severity, priority, due_at, as_of, event_type, params FROM actions
                WHERE {_OPEN} AND kind <> 'ingest' AND model = ANY(%s) ORDER BY created_at, id""",
            (list(models),),
        )
        for row in rows:
            row["status"] = "pending" if row["status"] == "pending" else "running"
            row |= {"kind": ActionKind(row["kind"]), "severity": Severity.parse(row["severity"])}
            row |= {"due_at": row["due_at"].astimezone(UTC), "as_of": row["as_of"].astimezone(UTC)}
            found[row.pop("model")].append(OpenAction(**row))
        return found

    def _accepted(self, models: Sequence[str], event_types: Sequence[str], now: datetime) -> Mapping[str, list[Accepted]]:
        found: dict[str, list[Accepted]] = defaultdict(list)
        rows = self._all(
            """SELECT DISTINCT ON (model, event_type, kind, target, severity) model, event_type, kind, target, severity, accepted_at, id FROM actions
               WHERE model = ANY(%s) AND event_type = ANY(%s) AND kind = ANY(%s) AND accepted_at > %s AND status NOT IN ('failed', 'cancelled')
               ORDER BY model, event_type, kind, target, severity, accepted_at DESC""",
            (list(models), list(event_types), [kind.value for kind in RESPONSES], now - _HORIZON),
        )
        for row in rows:
            kind, severity, at = ActionKind(row["kind"]), Severity.parse(row["severity"]), row["accepted_at"].astimezone(UTC)
            found[row["model"]].append(Accepted(row["event_type"], kind, row["target"], severity, at, row["id"]))
        return found

    def _corrective(self, models: Sequence[str], now: datetime) -> Mapping[str, list[Corrective]]:
        found: dict[str, list[Corrective]] = defaultdict(list)
        rows = self._all(
            """SELECT model, event_type, kind, target, accepted_at, id FROM actions
               WHERE model = ANY(%s) AND kind = ANY(%s) AND accepted_at > %s AND event_type <> 'manual' AND status <> 'cancelled'
               ORDER BY accepted_at, id""",
            (list(models), [kind.value for kind in CORRECTIVE], now - _HORIZON),
        )
        for row in rows:
            at = row["accepted_at"].astimezone(UTC)
            found[row["model"]].append(Corrective(row["event_type"], ActionKind(row["kind"]), row["target"], at, row["id"]))
        return found

    def _with_failures(self, states: dict[str, State], now: datetime) -> dict[str, State]:
        rows = self._all(
            """SELECT type, time, data->>'model' AS model, data->>'kind' AS kind, coalesce(data->>'target', '-') AS target FROM events
               WHERE type IN ('action_failed', 'action_completed') AND data->>'model' = ANY(%s) AND data->>'kind' = ANY(%s) AND time > %s ORDER BY seq""",
            (list(states), [kind.value for kind in CORRECTIVE], now - _HORIZON),
        )
        for row in rows:
            failed, at = row["type"] == "action_failed", row["time"].astimezone(UTC)
            states[row["model"]] = states[row["model"]].with_end(ActionKind(row["kind"]), row["target"], at, failed=failed)
        return states

    def _champions(self, models: Sequence[str]) -> Mapping[str, Champion]:
        rows = self._all(
            """SELECT m.model, e.data->>'model_version' AS version, e.time, e.data->>'kind' AS kind FROM unnest(%s::text[]) m(model)
               CROSS JOIN LATERAL (SELECT data, time FROM events WHERE type = 'model_deployed' AND data->>'model_name' = m.model
                                   ORDER BY seq DESC LIMIT 1) e WHERE m.model <> '-'""",
            (list(models),),
        )
        return {row["model"]: Champion(row["version"], row["time"].astimezone(UTC), row["kind"]) for row in rows}

    def _not_stable(self, models: Sequence[str]) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        rows = self._all(
            """SELECT m.model, v.version FROM unnest(%s::text[]) m(model)
               CROSS JOIN LATERAL (SELECT version FROM model_versions WHERE model = m.model AND (NOT stable OR quarantined IS NOT NULL)
                                   ORDER BY version DESC LIMIT %s) v""",
            (list(models), _NEWEST_VERSIONS),
        )
        for row in rows:
            found[row["model"]].append(f"{row['model']}@{row['version']}")
        return found

    def _paused(self) -> bool:
        rows = self._all("SELECT paused FROM policy_pauses ORDER BY seq DESC LIMIT 1", ())
        return bool(rows and rows[0]["paused"])

    def _rows(self, model: str, datasets: Sequence[str], waiting: Sequence[OpenAction]) -> dict[str, Any]:
        verdicts = self._all(
            # Materialized: looking for the newest row first would read the whole table where there is none.
            """WITH verdicts AS MATERIALIZED (
                   SELECT seq, time, (data->>'approved')::boolean AS approved, coalesce((data->>'rows_after_as_of')::numeric, 0) AS after
                   FROM events WHERE type = 'model_evaluation_completed' AND data->>'model_name' = %s)
               SELECT time, approved, after FROM verdicts ORDER BY seq DESC LIMIT 1""",
            (model,),
        )
        refused = verdicts[0] if verdicts and not verdicts[0]["approved"] else None
        running = [one.as_of for one in waiting if one.kind is ActionKind.RETRAIN and one.status == "running"]
        return {
            "refused_at": refused["time"].astimezone(UTC) if refused else None,
            "rows_since_refused": int(refused["after"]) + self._processed(datasets, refused["time"]) if refused else 0,
            "rows_since_retrain": self._processed(datasets, max(running)) if running else 0,
        }

    def _processed(self, datasets: Sequence[str], since: datetime) -> int:
        rows = self._all(
            """SELECT coalesce(sum((data->>'rows')::numeric), 0) AS rows FROM events
               WHERE type = 'data_processed' AND time > %s AND data->>'dataset' = ANY(%s)""",
            (since, list(datasets)),
        )
        return int(rows[0]["rows"])

    def _all(self, statement: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(statement, values)
            return [dict(row) for row in cursor.fetchall()]
