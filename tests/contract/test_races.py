"""Two promoters and a rollback who all want the champion changed, two hundred times: one of them does, and the others say why they did not."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evergreen.adapters.memory.store import MemoryStore
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.core.champion import Phase
from evergreen.core.errors import ChampionConflict, DeploymentRefused, Unavailable
from evergreen.ports.storage import ClaimedAction
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.racing import Died, Track, sampled, track
from tests.support.tiny import NAME

ROUNDS = 200
KILL_EVERY = 20
HEAD_START_EVERY = 5
_WAIT = threading.Event()


@pytest.fixture(params=["memory", pytest.param("postgres", marks=[pytest.mark.connected, pytest.mark.slow])])
def raced(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Track]:
    monkeypatch.setattr("evergreen.services.deploy.POLL_SECONDS", 0.003)
    if request.param == "memory":
        with track(MemoryStore(), tmp_path) as made:
            yield made
        return
    settings: Settings = request.getfixturevalue("postgres_settings")
    store = emptied(PostgresStore(settings.postgres.dsn.get_secret_value(), max_connections=12))
    with track(store, tmp_path) as made:
        yield made
    store.close()


@dataclass
class Racer:
    claim: ClaimedAction
    delay: float
    dies_at: Phase | None = None
    resumes: bool = False
    """After its death, another run takes its action up; else it is given up."""

    def race(self, on: Track) -> str:
        """`won`, or why it did not."""
        _WAIT.wait(self.delay)
        dies_at = self.dies_at
        for _ in range(2000):
            try:
                result = on.run(self.claim, dies_at=dies_at)
            except Unavailable:
                _WAIT.wait(0.005)
            except (DeploymentRefused, ChampionConflict) as error:
                return str(error)
            except Died:
                _WAIT.wait(0.03)  # the others meet what it left
                if not self.resumes:
                    with on.store.transaction(self.claim.lease) as tx:
                        tx.actions.finish(self.claim.lease, ActionStatus.FAILED, error="killed")
                    return "killed"
                dies_at = None
            else:
                return str(result["reason"]) if result.get("outcome") == "nothing_to_do" else "won"
        raise TimeoutError


def racers(on: Track, number: int, chance: random.Random) -> list[Racer]:
    """Two versions approved against the champion, and the word that the champion is bad; a fresh stable version to go back to."""
    champion, _ = on.champion()
    stable, first, second = (3 * number + at for at in (2, 3, 4))
    on.version(stable, stable=True)
    on.version(first, against=champion)
    on.version(second, against=champion)
    claims = [on.claim(ActionKind.PROMOTE, f"{NAME}@{version}") for version in (first, second)]
    claims.append(on.claim(ActionKind.ROLLBACK, NAME, from_version=f"{NAME}@{champion}", to_version=f"{NAME}@{stable}"))
    made = [Racer(claim, chance.choice([0.0, 0.004, 0.02, 0.04])) for claim in claims]
    made[2].delay /= 4  # it looks for a target first
    if number % HEAD_START_EVERY == 0:  # however slow the machine, each kind wins some of the rounds
        made[0].delay = made[1].delay = 0.1
    if number % KILL_EVERY == KILL_EVERY - 1:
        doomed = chance.choice(made)
        doomed.delay, doomed.resumes = 0.0, number % (2 * KILL_EVERY) == KILL_EVERY - 1
        doomed.dies_at = chance.choice(["prepared", "serving"])
    return made


@pytest.mark.timeout(240)
def test_of_two_promoters_and_a_rollback_one_wins_two_hundred_times(raced: Track) -> None:
    raced.version(1, stable=True)
    raced.run(raced.claim(ActionKind.PROMOTE, f"{NAME}@1", forced=True, reason="the first"))
    chance, winners, killed = random.Random(5), {"promote": 0, "rollback": 0}, 0
    with ThreadPoolExecutor(3) as pool, sampled(raced.open, 0.01) as opened:
        for number in range(ROUNDS):
            before, field = raced.champion()[1], racers(raced, number, chance)
            said = list(pool.map(lambda racer: racer.race(raced), field))
            assert raced.champion()[1] == before + 1, said
            assert said.count("won") + said.count("killed") >= 1
            assert said.count("won") <= 1
            killed += any(racer.dies_at is not None for racer in field)
            for racer, words in zip(field, said, strict=True):
                winners[racer.claim.action.kind.value] += words == "won"
                _says_why(raced, racer, words)
    served = [row for row in raced.history() if row.served_from is not None]
    assert [row.epoch for row in served] == list(range(1, ROUNDS + 2))
    assert not [row for row in raced.history() if row.status == "reverted" or row.kind == "revert"]
    assert max(opened) == 1
    assert killed == ROUNDS // KILL_EVERY
    assert min(winners.values()) > ROUNDS // 20, winners


def _says_why(on: Track, racer: Racer, words: str) -> None:
    with on.store.transaction() as tx:
        row: Any = tx.actions.get(racer.claim.action.id)
    if words == "won":
        assert row.status is ActionStatus.SUCCEEDED
    elif row.status is ActionStatus.SUCCEEDED:
        assert "has gone already" in row.result["reason"]
    else:
        assert row.status is ActionStatus.FAILED
        assert row.error == words
        assert any(reason in words for reason in ("evaluate it again", "serves now", "was closed", "killed", "serves already", "quarantined"))
