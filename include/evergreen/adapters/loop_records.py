"""What the loop recorded, read for `/models`, `/decisions` and `/actions/{id}/explain`. Read only; pages by key, never by offset."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.contracts.api import DecisionPage, DecisionSummary, Deployment, DeploymentPage, Explanation, ModelState
from evergreen.core.champion import LIVE_SECONDS
from evergreen.core.errors import InvalidRequest, NotFound

_CHAMPIONS = """
SELECT c.model, c.version, c.epoch, c.since, d.stable_from IS NOT NULL AS stable, d.previous_version
FROM champions c LEFT JOIN deployments d ON d.id = c.deployment_id
"""
_WORKERS = """
SELECT worker_id, serving FROM serving_workers
WHERE state <> 'draining' AND heartbeat_at > clock_timestamp() - $1 * interval '1 second' ORDER BY worker_id
"""
_DEPLOYMENTS = """
SELECT id, version, previous_version, kind, status, epoch, forced, reason, served_from, served_to, stable_from, error, action_id, created_at
FROM deployments WHERE model = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3)) ORDER BY created_at DESC, id DESC LIMIT $4
"""
_DECISIONS = """
SELECT model, seq, event_type, event_id, decided_at, severity, rule, outcome, policy_hash, recorded_at FROM decisions
WHERE ($1::text IS NULL OR model = $1) AND ($2::timestamptz IS NULL OR (recorded_at, model, seq) < ($2, $3, $4))
ORDER BY recorded_at DESC, model DESC, seq DESC LIMIT $5
"""
_ACTION = """
SELECT id, kind, model, target, params, reason, severity, priority, due_at, as_of, causes, traceparent, event_type, decision_seq, accepted_at,
       status, attempts, run_id, created_at, claimed_at, started_at, finished_at, result, error
FROM actions WHERE id = $1
"""
_EVENTS = """
SELECT e.source, e.id, e.type, e.subject, e.time, e.data, e.received_at
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS c (source, id, place) JOIN events e ON (e.source, e.id) = (c.source, c.id) ORDER BY c.place
"""
_DECISION = "SELECT body FROM decisions WHERE model = $1 AND seq = $2"


class LoopRecords:
    """Every call raises Unavailable."""

    def __init__(self, postgres: AsyncPostgres, models: Sequence[str]) -> None:
        self._postgres = postgres
        self._models = tuple(models)

    async def models(self) -> list[ModelState]:
        champions = {row["model"]: row for row in await self._postgres.fetch(_CHAMPIONS)}
        workers = {row["worker_id"]: row["serving"] for row in await self._postgres.fetch(_WORKERS, LIVE_SECONDS)}
        return [_state(model, champions.get(model), workers) for model in self._models]

    async def history(self, model: str, limit: int, cursor: str | None) -> DeploymentPage:
        """Newest first. Raises NotFound for a model this home does not know."""
        if model not in self._models:
            raise NotFound(f"no model {model!r}; known: {', '.join(self._models)}")
        created, last = _read_cursor(cursor, 2)
        rows = await self._postgres.fetch(_DEPLOYMENTS, model, _instant(created), None if last is None else _uuid(last), limit + 1)
        page, more = rows[:limit], len(rows) > limit
        following = _cursor(page[-1]["created_at"].isoformat(), str(page[-1]["id"])) if more else None
        return DeploymentPage(model=model, deployments=[_deployment(model, row) for row in page], next_cursor=following)

    async def decisions(self, model: str | None, limit: int, cursor: str | None) -> DecisionPage:
        """Newest first."""
        recorded, last_model, last_seq = _read_cursor(cursor, 3)
        rows = await self._postgres.fetch(_DECISIONS, model, _instant(recorded), last_model, _whole(last_seq), limit + 1)
        page, more = rows[:limit], len(rows) > limit
        following = _cursor(page[-1]["recorded_at"].isoformat(), page[-1]["model"], str(page[-1]["seq"])) if more else None
        found = [DecisionSummary(**{name: row[name] for name in DecisionSummary.model_fields}) for row in page]
        return DecisionPage(decisions=found, next_cursor=following)

    async def explain(self, action_id: UUID) -> Explanation:
        """Raises NotFound."""
        row = await self._postgres.fetch_row(_ACTION, action_id)
        if row is None:
            raise NotFound(f"no action {action_id}")
        causes = row["causes"]
        events = await self._postgres.fetch(_EVENTS, [cause["source"] for cause in causes], [cause["id"] for cause in causes])
        decision = None
        if row["decision_seq"] is not None:
            decision = await self._postgres.fetch_row(_DECISION, row["model"], row["decision_seq"])
        return Explanation(
            action=dict(row) | {"id": str(row["id"])},
            causes=[dict(event) for event in events],
            decision=None if decision is None else json.loads(decision["body"]),
        )


def _state(model: str, champion: Mapping[str, Any] | None, workers: Mapping[str, Mapping[str, Any]]) -> ModelState:
    answering = {worker: f"{model}@{serving[model]['version']}" for worker, serving in workers.items() if model in serving}
    if champion is None:
        return ModelState(model=model, version=None, epoch=None, since=None, stable=None, previous_version=None, workers=answering)
    return ModelState(
        model=model,
        version=f"{model}@{champion['version']}",
        epoch=champion["epoch"],
        since=champion["since"],
        stable=champion["stable"],
        previous_version=_version(model, champion["previous_version"]),
        workers=answering,
    )


def _deployment(model: str, row: Mapping[str, Any]) -> Deployment:
    values = {name: row[name] for name in ("kind", "status", "epoch", "forced", "reason", "served_from", "served_to", "stable_from", "error")}
    return Deployment(
        id=str(row["id"]),
        version=f"{model}@{row['version']}",
        previous_version=_version(model, row["previous_version"]),
        action_id=None if row["action_id"] is None else str(row["action_id"]),
        **values,
    )


def _version(model: str, version: int | None) -> str | None:
    return None if version is None else f"{model}@{version}"


def _cursor(*parts: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _read_cursor(cursor: str | None, length: int) -> Sequence[str | None]:
    """Raises InvalidRequest for anything `_cursor` did not make."""
    if cursor is None:
        return [None] * length
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise InvalidRequest("cursor: take it from the previous page") from error
    if not isinstance(parts, list) or len(parts) != length or not all(isinstance(part, str) and "\x00" not in part for part in parts):
        raise InvalidRequest("cursor: take it from the previous page")
    return parts


def _instant(text: str | None) -> datetime | None:
    try:
        found = None if text is None else datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest("cursor: take it from the previous page") from error
    if found is not None and found.tzinfo is None:
        raise InvalidRequest("cursor: take it from the previous page")
    return found


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidRequest("cursor: take it from the previous page") from error


def _whole(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidRequest("cursor: take it from the previous page")
    return int(text)
