"""The loop at a glance: what happened, what was decided, what is under way, who serves, and whether the promises are kept.

Guarantee: a part that cannot be read is named and the others are told all the same. Failure: Postgres answers slowly, or not at all. Remedy:
parts are asked one after the other, on one connection at a time, and no more of them once PATIENCE_SECONDS have passed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from evergreen.core import promises
from evergreen.core.clock import ClockReading
from evergreen.core.errors import Unavailable
from evergreen.core.explanation import answers_of, read_body
from evergreen.core.promises import Answered, Promise
from evergreen.ports.overview import OverviewRows, Row
from evergreen.services.version_names import version_name

PATIENCE_SECONDS = 3.0
KEEP_SECONDS = 10.0
"""A day of serving's numbers is counted anew as often as the monitor adds to them."""
MINUTES, EVENTS, ACTIONS, TREND, FIRING = 30, 8, 8, 12, 20
_DAY = timedelta(days=1)


class ShowOverview:
    def __init__(self, rows: OverviewRows, models: Sequence[str], wall: Callable[[], datetime]) -> None:
        self._rows = rows
        self._models = tuple(models)
        self._wall = wall
        self._answered: tuple[float, Answered] | None = None

    async def run(self) -> dict[str, Any]:
        """Raises Unavailable where no part can be read."""
        found: dict[str, Any] = {}
        begun = time.monotonic()
        parts: dict[str, Callable[[], Awaitable[Any]]] = {
            "clock": self._clock,
            "events": self._events,
            "decision": self._decision,
            "actions": self._actions,
            "models": self._champions,
            "firing": self._firing,
            "promises": partial(self._promises, found),
        }
        for name, ask in parts.items():
            if time.monotonic() - begun > PATIENCE_SECONDS:
                break
            try:
                found[name] = await ask()
            except Unavailable:
                continue
        if not found:
            raise Unavailable("nothing of the loop can be read: Postgres does not answer")
        return {name: found.get(name) for name in parts} | {"missing": [name for name in parts if name not in found]}

    async def _clock(self) -> dict[str, Any]:
        row, wall = await self._rows.clock(), self._wall()
        if row is None:
            return {"now": wall, "mode": "wall", "rate": 1.0}
        return {"now": ClockReading(**dict(row)).at(wall), "mode": row["mode"], "rate": row["rate"]}

    async def _events(self) -> dict[str, Any]:
        minutes = await self._rows.arrivals(MINUTES)
        return {"per_minute": list(minutes), "newest": [dict(row) for row in await self._rows.newest_events(EVENTS)]}

    async def _decision(self) -> dict[str, Any] | None:
        row = await self._rows.last_decision()
        return None if row is None else _decided(row)

    async def _actions(self) -> dict[str, Any]:
        return dict(await self._rows.open_actions(ACTIONS))

    async def _champions(self) -> list[dict[str, Any]]:
        """Of every model there is; one without a champion says so."""
        there = {row["model"]: row for row in await self._rows.champions(TREND)}
        return [_model(model, there.get(model)) for model in dict.fromkeys([*self._models, *there])]

    async def _firing(self) -> list[dict[str, Any]]:
        return [dict(row) for row in await self._rows.firing(FIRING)]

    async def _promises(self, found: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The day is one of platform time: a replay's too."""
        until = found["clock"]["now"] if "clock" in found else self._wall()
        kept: list[Promise] = [
            promises.handling(await self._rows.handling()),
            promises.success(await self._rows.outcomes(until - _DAY)),
            promises.availability(await self._availability(until)),
        ]
        return [asdict(one) for one in kept]

    async def _availability(self, until: datetime) -> Answered:
        now = time.monotonic()
        if self._answered is None or now - self._answered[0] > KEEP_SECONDS:
            self._answered = now, await self._rows.answered(until - _DAY, until)
        return self._answered[1]


def _decided(row: Row) -> dict[str, Any]:
    body, names = read_body(row), ("model", "seq", "event_id", "event_type", "decided_at", "recorded_at", "severity", "rule", "outcome")
    path = body["severity"].get("path", []) if isinstance(body.get("severity"), dict) else []
    return {name: row[name] for name in names} | {"severity_path": [str(step) for step in path], "answers": answers_of(row)}


def _model(model: str, row: Row | None) -> dict[str, Any]:
    if row is None:
        return {"model": model, "version": None, "since": None, "stable": None, "workers": 0, "drift": None, "trend": []}
    drift = {name: row[name] for name in ("report_id", "score", "drifted", "first_day", "last_day", "time")}
    return {
        "model": model,
        "version": version_name(model, row["version"]),
        "since": row["since"],
        "stable": row["stable"],
        "workers": row["workers"],
        "drift": None if row["report_id"] is None else {**drift, "version": version_name(model, row["watched"])},
        "trend": list(reversed(row["trend"])),
    }
