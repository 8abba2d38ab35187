"""`evergreen recommender rebuild`, `evergreen users forget`: what they ask, and what they say was done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from typer.testing import CliRunner

from evergreen.cli import context, recommender, users


@dataclass
class Recommender:
    forgotten: list[str] = field(default_factory=list)

    @property
    def rebuild(self) -> Recommender:
        return self

    @property
    def forget(self) -> Recommender:
        return self

    @property
    def recommender(self) -> Recommender:
        return self

    def run(self, *user: str) -> Any:
        self.forgotten += user
        return {"interactions": 3, "lake": 2} if user else 7


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Recommender:
    found = Recommender()
    monkeypatch.setattr(context, "parts", lambda: found)
    return found


def test_rebuild_says_how_many(made: Recommender) -> None:
    done = CliRunner().invoke(recommender.app, ["rebuild"])
    assert (done.exit_code, done.stdout.strip()) == (0, "rebuilt the profiles of 7 users")


def test_nobody_is_forgotten_unasked(made: Recommender) -> None:
    done = CliRunner().invoke(users.app, ["forget", "ann"], input="n\n")
    assert done.exit_code != 0
    assert made.forgotten == []
    done = CliRunner().invoke(users.app, ["forget", "ann", "--yes"])
    assert (done.exit_code, done.stdout.strip()) == (0, "forgot ann: 3 of interactions, 2 of lake")
    assert made.forgotten == ["ann"]
