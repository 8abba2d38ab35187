"""Two weeks in which the world changes again and again between two states, each of which some versions know and others do not: policy,
rollback and promotion together must not swing with it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from evergreen.adapters.memory.store import MemoryStore
from evergreen.contracts.actions import ActionKind
from evergreen.core.champion import BAKE, rollback_targets
from evergreen.core.decision import Outcome
from evergreen.core.errors import DeploymentRefused
from evergreen.core.state import Champion, Corrective, State
from evergreen.services.promote import facts_of
from tests.support.deciding import DEGRADED, KNOWN, asked
from tests.support.events import MODEL, NOON
from tests.support.racing import Track, track
from tests.support.tiny import NAME

LOOK = timedelta(hours=6)
LOOKS = 14 * 4
FIRST = 4
"""Stable versions at the beginning, half of which know each world."""


@dataclass
class World:
    on: Track
    chance: random.Random
    now: datetime = NOON
    state: int = 0
    knows: dict[int, int] = field(default_factory=dict)
    """Version -> the world it is good in."""
    since: datetime = NOON
    """When the champion began to serve."""
    done: list[tuple[datetime, str, int, int]] = field(default_factory=list)
    """(when, what, from, to)"""
    corrective: list[Corrective] = field(default_factory=list)

    @property
    def champion(self) -> int:
        return self.on.champion()[0]

    def learned(self, version: int, world: int, *, against: int | None = None, stable: bool = False) -> None:
        self.knows[version] = world
        self.on.version(version, against=against, stable=stable)

    def look(self) -> None:
        self._bake()
        if self.knows[self.champion] != self.state and self.now > self.since:
            self._degraded(self.champion)
        for gone in {before for _, _, before, _ in self.done[-2:]}:
            self._degraded(gone)  # an event about a version that left comes late

    def _bake(self) -> None:
        if self.now - self.since >= BAKE and self.knows[self.champion] == self.state:
            with self.on.store.transaction() as tx:
                tx.versions.mark_stable(NAME, self.champion)

    def _degraded(self, version: int) -> None:
        with self.on.store.transaction() as tx:
            rows = tx.versions.of_model(NAME)
        targets = rollback_targets([facts_of(row) for row in rows], version)
        better = [target for target in targets if self.knows[target] == self.state]
        seen: dict[str, Any] = {"model_version": f"{MODEL}@{version}", "performance_drop": 0.5, "rollback_helps": bool(better)}
        seen["rollback_target"] = f"{MODEL}@{(better or targets)[0]}" if targets else None
        decision = asked(DEGRADED, self._state(), now=self.now, **seen)
        kinds = {one.kind for one in decision.answers if one.outcome is Outcome.ACCEPTED}
        if ActionKind.ROLLBACK in kinds:
            self._roll_back(version, (better or targets)[0])
        elif ActionKind.RETRAIN in kinds and version == self.champion:
            self._retrain()

    def _state(self) -> State:
        with self.on.store.transaction() as tx:
            not_stable = tuple(f"{MODEL}@{row.version}" for row in tx.versions.of_model(NAME) if not row.stable)
        kind = "promote" if not self.done or self.done[-1][1] == "promote" else "rollback"
        champion = Champion(f"{MODEL}@{self.champion}", self.since, kind)  # type: ignore[arg-type]
        return replace(KNOWN, champion=champion, not_stable=not_stable, corrective=tuple(self.corrective))

    def _roll_back(self, bad: int, target: int) -> None:
        before = self.champion
        result = self.on.run(self.on.claim(ActionKind.ROLLBACK, NAME, from_version=f"{NAME}@{bad}", to_version=f"{NAME}@{target}"))
        self.corrective.append(Corrective(DEGRADED, ActionKind.ROLLBACK, MODEL, self.now, uuid4()))
        if result.get("outcome") != "nothing_to_do":
            self._served("rollback", before)

    def _retrain(self) -> None:
        before, version = self.champion, max(self.knows) + 1
        self.learned(version, self.state, against=before)
        self.on.run(self.on.claim(ActionKind.PROMOTE, f"{NAME}@{version}"))
        self._served("promote", before)

    def _served(self, what: str, before: int) -> None:
        self.done.append((self.now, what, before, self.champion))
        self.since = self.now


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("days", [pytest.param(1, id="daily"), pytest.param(3, id="every-third-day"), pytest.param(0, id="at-random")])
def test_two_weeks_of_alternating_worlds_bring_no_ping_pong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, days: int) -> None:
    monkeypatch.setattr("evergreen.services.deploy.POLL_SECONDS", 0.002)
    with track(MemoryStore(), tmp_path) as on:
        world = World(on, random.Random(seed))
        for version in range(1, FIRST + 1):
            world.learned(version, version % 2, stable=True)
        on.run(on.claim(ActionKind.PROMOTE, f"{NAME}@{FIRST}", forced=True, reason="the first"))
        for at in range(1, LOOKS):
            world.now = NOON + at * LOOK
            turns = world.chance.random() < 0.2 if days == 0 else at % (4 * days) == 0
            world.state = 1 - world.state if turns else world.state
            world.look()
        rollbacks = [(at, before, after) for at, what, before, after in world.done if what == "rollback"]
        assert rollbacks
        _each_on_its_own_evidence(world)
        left = [before for _, before, _ in rollbacks]
        assert len(set(left)) == len(left), "a version was rolled back twice: it had come back"
        assert all(_never_again(world, at, before) for at, before, _ in rollbacks)
        _quarantine_holds(world, left)


def _each_on_its_own_evidence(world: World) -> None:
    """Between a change of the champion and a rollback lies a look at the one that serves since: none follows from an older word."""
    assert all(later - earlier >= LOOK for (earlier, *_), (later, what, *_) in pairwise(world.done) if what == "rollback")
    assert len([one for one in world.corrective if one.at > world.now - timedelta(days=1)]) <= 3


def _never_again(world: World, since: datetime, version: int) -> bool:
    return all(after != version for at, _, _, after in world.done if at > since)


def _quarantine_holds(world: World, left: list[int]) -> None:
    for version in left:
        with pytest.raises(DeploymentRefused, match="quarantined"):
            world.on.run(world.on.claim(ActionKind.PROMOTE, f"{NAME}@{version}", forced=True, reason="drill"))
        with pytest.raises(DeploymentRefused, match="quarantined"):
            world.on.run(world.on.claim(ActionKind.ROLLBACK, NAME, to_version=f"{NAME}@{version}", forced=True))
