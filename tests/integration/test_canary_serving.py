"""A canary on real serving: two workers on one socket, under load, promoted to by the real protocol."""

from __future__ import annotations

import copy
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind
from evergreen.core.canary import CanaryRules, is_asked
from evergreen.core.clock import WallClock
from evergreen.core.errors import DeploymentRefused
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.model import FittedModel, Predictor
from evergreen.ports.storage import ClaimedAction
from evergreen.services.canary_step import CanaryStep
from evergreen.services.carry_out import CarryOut
from evergreen.services.champion_projection import ChampionProjection
from evergreen.services.deploy import Deploy
from evergreen.services.promote import Promote
from evergreen.settings import Settings
from tests.support.claims import claimed, emptied
from tests.support.worker_processes import Workers, place_version, simulated_table, trained_version, until, workers

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(300)]
SPEC = video_spec("KR")
MODEL, SHARE = SPEC.name, 0.2
GIVEN: dict[str, Any] = {"title": "여름 #1", "category_id": 22, "published_at": "2025-05-24T09:00:00Z", "list_date": "2025-05-25", "channel_videos": 2}
ODD = 30
"""A category nobody was trained on: bad versions break on it."""
ASKERS = 3
Told = Callable[[str, object], None]


@dataclass
class Loop:
    settings: Settings
    store: PostgresStore
    predictors: dict[int, Predictor]
    workers: Workers | None = None
    clock: WallClock = field(default_factory=WallClock)

    def deploy(self, seconds: float) -> Deploy:
        registry = MemoryRegistry(Path(self.settings.home))
        canary = CanaryStep(self.store, registry, lambda _: CanaryRules(SHARE, seconds, 100), lambda: False)
        projection, carry_out = ChampionProjection(self.store, registry, [MODEL]), CarryOut(self.store, self.clock)
        return Deploy(self.store, self.clock, carry_out, projection, min_confirmations=1, confirm_seconds=60.0, canary=canary)

    def claim(self, version: int, **params: Any) -> ClaimedAction:
        return claimed(self.store, self.clock, ActionKind.PROMOTE, params, model=MODEL, target=f"{MODEL}@{version}")

    def known(self, version: int) -> None:
        with self.store.transaction() as tx:
            tx.versions.insert(trained_version(MODEL, version, status="candidate"))

    def approved(self, version: int) -> None:
        """Against who serves now."""
        with self.store.transaction() as tx:
            champion = tx.champions.get(MODEL)
            tx.versions.judge(MODEL, version, "approved", {"judged_against": champion.version if champion else None, "gates": []})

    def champion(self) -> int:
        with self.store.transaction() as tx:
            row = tx.champions.get(MODEL)
        return 0 if row is None else row.version

    def status(self) -> str:
        with self.store.transaction() as tx:
            return tx.deployments.history(MODEL)[0].status

    def expected(self, version: int) -> float:
        [answer] = self.predictors[version].answer([GIVEN])
        return float(answer["prediction"])


@dataclass(frozen=True)
class Heard:
    at: float
    entity: str
    version: str
    prediction: float


@dataclass
class Asking:
    """Applications that ask again and again: mostly about videos nobody asked of before, sometimes about the same forty."""

    there: Workers
    odd_in: int = 0
    """Every how many questions is about the odd category; 0: none."""
    heard: list[Heard] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, asker: int) -> None:
        with self.there.client() as client:
            for at in range(1_000_000):
                if self.stop.wait(0.01):
                    return
                odd = self.odd_in > 0 and at % self.odd_in == 0
                entity = f"odd{asker}-{at}" if odd else f"same{at % 40}" if at % 5 == 0 else f"new{asker}-{at}-{time.monotonic_ns()}"
                self._ask(client, entity, odd)

    def _ask(self, client: httpx.Client, entity: str, odd: bool) -> None:
        asked = time.monotonic()
        try:
            answer = client.post("/predict/video", json={"video_id": entity, "features": {**GIVEN, "category_id": ODD} if odd else GIVEN})
        except httpx.TransportError as error:
            self.failures.append(f"{entity}: {type(error).__name__}")
            return
        if answer.status_code != 200:
            self.failures.append(f"{entity}: {answer.status_code} {answer.text[:200]}")
            return
        found = answer.json()
        self.heard.append(Heard(asked, entity, found["model_version"], found["prediction"]))


@contextmanager
def asked(loop: Loop, odd_in: int = 0) -> Iterator[Asking]:
    assert loop.workers is not None
    asking = Asking(loop.workers, odd_in)
    with ThreadPoolExecutor(ASKERS) as pool:
        running = [pool.submit(asking.run, asker) for asker in range(ASKERS)]
        try:
            yield asking
        finally:
            asking.stop.set()
            for one in running:
                one.result(30)


def spoilt(fitted: FittedModel) -> FittedModel:
    """It says what it should of the golden rows, so that it loads, and breaks on the odd category."""
    card = copy.deepcopy(dict(fitted.card))
    card["distributions"][str(ODD)] = ["no number"]
    return replace(fitted, card=card)


@pytest.fixture(scope="module")
def loop(stack_settings: Settings) -> Iterator[Loop]:
    """Two workers, version 1 answers; 2 is good, 3 breaks on the odd category."""
    table = simulated_table()
    store = emptied(PostgresStore(stack_settings.postgres.dsn.get_secret_value()))
    found = Loop(stack_settings, store, {})
    first, second = SPEC.fit(table, 0), SPEC.fit(table.tail(len(table) // 2), 0)
    for version, fitted in ((1, first), (2, second), (3, spoilt(second))):
        found.predictors[version] = SPEC.predictor(fitted.estimators, fitted.card)
        place_version(stack_settings, SPEC, fitted, table, version, golden_of=fitted)
        found.known(version)
    with workers(stack_settings) as started:
        found.workers = started
        until(lambda: len(started.answers()) == 2, 120)
        found.approved(1)
        Promote(found.deploy(1)).run(found.claim(1))
        yield found
    store.close()


def test_a_bad_one_is_cancelled_and_quarantined_and_costs_nobody_an_answer(loop: Loop, record_property: Told) -> None:
    loop.approved(3)
    claim = loop.claim(3)
    with asked(loop, odd_in=20) as asking, ThreadPoolExecutor(1) as pool:
        promoting = pool.submit(Promote(loop.deploy(120)).run, claim)
        until(lambda: loop.status() == "canary", 60)
        begun = time.monotonic()
        with pytest.raises(DeploymentRefused, match="answers failed, 1% is allowed"):
            promoting.result(150)
        ended = time.monotonic()
        time.sleep(3)
    with loop.store.transaction() as tx:
        row = tx.versions.get(MODEL, 3)
    assert row is not None
    record_property("cancelled", f"after {ended - begun:.1f} s: {row.quarantined}; {len(asking.heard)} answers")
    assert "answers failed" in str(row.quarantined)
    assert asking.failures == []
    assert {one.version for one in asking.heard if one.at < ended} == {f"{MODEL}@1", f"{MODEL}@3"}
    assert {one.version for one in asking.heard if one.at > ended + 1.5} == {f"{MODEL}@1"}
    assert loop.champion() == 1


def test_a_good_one_answers_its_share_and_takes_over_while_the_cache_is_emptied(loop: Loop, record_property: Told) -> None:
    loop.approved(2)
    claim = loop.claim(2)
    redis = Redis.from_url(loop.settings.redis.url.get_secret_value())
    with asked(loop) as asking, ThreadPoolExecutor(1) as pool:
        promoting = pool.submit(Promote(loop.deploy(12)).run, claim)
        until(lambda: loop.status() == "canary", 60)
        begun = time.monotonic() + 1.5  # every worker has heard of it
        for _ in range(4):
            time.sleep(2)
            redis.flushdb()
        ended = time.monotonic()
        result = promoting.result(120)
        confirmed = time.monotonic()
        time.sleep(1)
    assert asking.failures == []
    during = [one for one in asking.heard if begun < one.at < ended]
    theirs = [one for one in during if one.version == f"{MODEL}@2"]
    fresh = [one for one in during if one.entity.startswith("new")]
    share = sum(one.version == f"{MODEL}@2" for one in fresh) / len(fresh)
    record_property("share", f"{share:.3f} of {len(fresh)} entities, {len(during) / (ended - begun):.0f} answers/s; {result['canary']}")
    assert len(fresh) > 300
    assert abs(share - SHARE) < 0.03 + 2 * (SHARE * (1 - SHARE) / len(fresh)) ** 0.5
    assert all((one.version == f"{MODEL}@2") is is_asked(f"{MODEL}@2", one.entity, SHARE) for one in during)
    assert all(one.prediction == pytest.approx(loop.expected(int(one.version[-1]))) for one in (*theirs[:50], *during[:50]))
    assert "failed" in str(result["canary"])
    assert result["canary"].startswith("canary of 20%: ")
    assert {one.version for one in asking.heard if one.at > confirmed} == {f"{MODEL}@2"}


def test_a_worker_that_is_killed_meanwhile_leaves_the_verdict_to_the_other(loop: Loop, record_property: Told) -> None:
    assert loop.workers is not None
    loop.approved(1)
    claim = loop.claim(1)
    with asked(loop) as asking, ThreadPoolExecutor(1) as pool:
        promoting = pool.submit(Promote(loop.deploy(14)).run, claim)
        until(lambda: loop.status() == "canary", 60)
        time.sleep(4)
        loop.workers.signal("serving-01", signal.SIGKILL)
        result = promoting.result(120)
    assert [name.split(":")[0] for name in result["confirmed_by"]] == ["serving-00"]
    assert loop.champion() == 1
    assert len(asking.failures) <= ASKERS  # those whose connection died with it
    record_property("killed", f"{result['canary']}; {asking.failures}")
