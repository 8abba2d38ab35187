"""What cannot be read is named; the rest is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from evergreen.contracts.api_overview import Overview
from evergreen.core.errors import Unavailable
from evergreen.core.promises import Answered, Handling, Outcomes
from evergreen.services import overview
from evergreen.services.overview import ShowOverview

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Rows:
    """A loop in which nothing has happened yet; `away`: what cannot be read."""

    def __init__(self, *away: str) -> None:
        self.away = away

    def _of(self, name: str, value: Any) -> Any:
        if name in self.away or "all" in self.away:
            raise Unavailable("slow")
        return value

    async def clock(self) -> Any:
        return self._of("clock", {"mode": "replay", "base": NOW, "set_at": NOW, "rate": 10.0, "epoch": 2})

    async def arrivals(self, minutes: int) -> Sequence[int]:
        return list(self._of("arrivals", [0] * minutes))

    async def newest_events(self, limit: int) -> Sequence[Any]:
        return list(self._of("newest_events", []))

    async def last_decision(self) -> Any:
        return self._of("last_decision", None)

    async def open_actions(self, limit: int) -> Any:
        return self._of("open_actions", {"pending": 0, "running": 0, "asking": 0, "first": []})

    async def champions(self, trend: int) -> Sequence[Any]:
        return list(self._of("champions", []))

    async def firing(self, limit: int) -> Sequence[Any]:
        return list(self._of("firing", []))

    async def handling(self) -> Handling:
        return Handling(*self._of("handling", (0, None, 0)))

    async def outcomes(self, since: datetime) -> Outcomes:
        return Outcomes(*self._of("outcomes", (0, 0)))

    async def answered(self, since: datetime, until: datetime) -> Answered:
        return Answered(*self._of("answered", (0, 0, 0.0, 0.0)))


def told(*away: str) -> Overview:
    return Overview(**asyncio.run(ShowOverview(Rows(*away), ["video_performance"], lambda: NOW).run()))


def test_an_empty_loop_is_whole() -> None:
    found = told()
    assert found.missing == []
    assert found.clock is not None
    assert (found.clock.mode, found.clock.rate, found.clock.now) == ("replay", 10.0, NOW)
    assert found.decision is None
    assert found.models is not None
    assert [(one.model, one.version, one.drift) for one in found.models] == [("video_performance", None, None)]
    assert found.promises is not None
    assert {one.state for one in found.promises} == {"unmeasured"}


def test_a_part_that_cannot_be_read_is_named_and_the_others_are_there() -> None:
    found = told("answered", "last_decision")
    assert found.missing == ["decision", "promises"]
    assert found.promises is None
    assert found.actions is not None


def test_without_the_clock_the_wall_counts() -> None:
    found = told("clock")
    assert found.missing == ["clock"]
    assert found.promises is not None


def test_nothing_at_all_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        told("all")


def test_who_answers_slowly_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "PATIENCE_SECONDS", -1.0)
    with pytest.raises(Unavailable):
        told()
