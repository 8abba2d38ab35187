"""What the loop recorded, as serving shows it: models, events, decisions, actions, and why. Read only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.cursors import read_cursor, read_instant, read_uuid, write_cursor
from evergreen.adapters.explanation_rows import DECISION_COLUMNS, EVENT_COLUMNS, gather
from evergreen.adapters.record_pages import ACTIONS, DECISIONS, EVENTS, Listing
from evergreen.contracts.api import Deployment, DeploymentPage, ModelState
from evergreen.contracts.api_records import (
    ActionFilter,
    ActionPage,
    DecisionFilter,
    DecisionPage,
    DecisionRecord,
    DecisionSummary,
    EventFilter,
    EventPage,
    EventRecord,
    Explanation,
    Page,
)
from evergreen.core.champion import LIVE_SECONDS
from evergreen.core.errors import NotFound
from evergreen.core.explanation import About, Found, event_record, explain, read_body, short_answers
from evergreen.core.fate import summary_of

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
_DECISION = f"SELECT {DECISION_COLUMNS} FROM decisions d WHERE d.model = $1 AND d.seq = $2"
_EVENT = f"SELECT {EVENT_COLUMNS} FROM events e WHERE e.id = $1 ORDER BY e.seq LIMIT 1"


class LoopRecords:
    """Every call raises Unavailable."""

    def __init__(self, postgres: AsyncPostgres, models: Sequence[str], airflow_url: str = "") -> None:
        self._postgres = postgres
        self._models = tuple(models)
        self._airflow_url = airflow_url

    async def models(self) -> list[ModelState]:
        champions = {row["model"]: row for row in await self._postgres.fetch(_CHAMPIONS)}
        workers = {row["worker_id"]: row["serving"] for row in await self._postgres.fetch(_WORKERS, LIVE_SECONDS)}
        return [_state(model, champions.get(model), workers) for model in self._models]

    async def history(self, model: str, limit: int, cursor: str | None) -> DeploymentPage:
        """Newest first. Raises NotFound for a model this home does not know."""
        if model not in self._models:
            raise NotFound(f"no model {model!r}; known: {', '.join(self._models)}")
        created, last = read_cursor(cursor, 2) if cursor else (None, None)
        place = (None if created is None else read_instant(created), None if last is None else read_uuid(last))
        rows = await self._postgres.fetch(_DEPLOYMENTS, model, *place, limit + 1)
        page, more = rows[:limit], len(rows) > limit
        following = write_cursor(page[-1]["created_at"].isoformat(), str(page[-1]["id"])) if more else None
        return DeploymentPage(model=model, deployments=[_deployment(model, row) for row in page], next_cursor=following)

    async def events(self, wanted: EventFilter) -> EventPage:
        """Newest first. Raises InvalidRequest for a cursor of another list."""
        rows, following = await self._page(EVENTS, wanted)
        return EventPage(events=[event_record(row) for row in rows], next_cursor=following)

    async def event(self, event_id: str) -> EventRecord:
        """Raises NotFound."""
        row = await self._postgres.fetch_row(_EVENT, event_id)
        if row is None:
            raise NotFound(f"no event {event_id}; `evergreen explain {event_id}` looks through the dead letters, too")
        return event_record(row)

    async def decisions(self, wanted: DecisionFilter) -> DecisionPage:
        """Newest first. Raises InvalidRequest."""
        rows, following = await self._page(DECISIONS, wanted)
        return DecisionPage(decisions=[_decision(row) for row in rows], next_cursor=following)

    async def decision(self, model: str, seq: int) -> DecisionRecord:
        """Whole. Raises NotFound."""
        row = await self._postgres.fetch_row(_DECISION, model, seq)
        if row is None:
            raise NotFound(f"no decision {model}/{seq}; /decisions lists them")
        whole = {name: row[name] for name in ("event_source", "recorded_at", "prev_hash", "hash")}
        return DecisionRecord(**_decision(row).model_dump(), **whole, body=read_body(row))

    async def actions(self, wanted: ActionFilter) -> ActionPage:
        """Newest first. Raises InvalidRequest."""
        rows, following = await self._page(ACTIONS, wanted)
        return ActionPage(actions=[summary_of(row) for row in rows], next_cursor=following)

    async def explain(self, name: str, about: About | None = None) -> Explanation:
        """An action or event by its id, a decision as `model/seq`; `about`: nothing else will do. Raises NotFound."""
        found = await self._gathered(name)
        if found.is_empty or about not in (None, found.about):
            raise NotFound(f"no {about or 'event, action or decision'} {name}; `evergreen explain {name}` looks through the dead letters, too")
        return explain(found, self._airflow_url)

    async def _gathered(self, name: str) -> Found:
        gathering = gather(name)
        try:
            ask = next(gathering)
            while True:
                ask = gathering.send(await self._postgres.fetch(ask[0], *ask[1]))
        except StopIteration as end:
            found: Found = end.value
            return found

    async def _page(self, listing: Listing, wanted: Page) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        query, values = listing.query(wanted)
        return listing.page(await self._postgres.fetch(query, *values), wanted)


def _decision(row: Mapping[str, Any]) -> DecisionSummary:
    plain = {name: row[name] for name in DecisionSummary.model_fields if name != "answers"}
    return DecisionSummary(**plain, answers=short_answers(row))


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
