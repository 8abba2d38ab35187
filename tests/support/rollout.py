"""Promotions on real serving: workers on one socket, versions good and bad, applications that ask, the real protocol."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind
from evergreen.core.canary import CanaryRules
from evergreen.core.clock import WallClock
from evergreen.domains.videos.spec import video_spec
from evergreen.environment import CHECKOUT, child_environment
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.model import FittedModel, Predictor
from evergreen.ports.storage import ClaimedAction
from evergreen.services.canary_step import CanaryStep
from evergreen.services.carry_out import CarryOut
from evergreen.services.champion_projection import ChampionProjection
from evergreen.services.deploy import Deploy
from evergreen.services.promote import Promote
from evergreen.settings import Settings
from tests.support import faulty_worker
from tests.support.claims import claimed, emptied
from tests.support.worker_processes import Workers, place_version, simulated_table, trained_version, until, workers

SPEC = video_spec("KR")
MODEL, SHARE = SPEC.name, 0.2
GIVEN: dict[str, Any] = {"title": "여름 #1", "category_id": 22, "published_at": "2025-05-24T09:00:00Z", "list_date": "2025-05-25", "channel_videos": 2}
ODD = 30
"""A category nobody was trained on: version BREAKS does so on it."""
FIRST, GOOD, BREAKS, NO_NUMBER, SLOW = 1, 2, 3, 4, 5
FAULTS = {NO_NUMBER: "no number", SLOW: "slow"}
ASKERS = 4


@dataclass
class Rollout:
    settings: Settings
    store: PostgresStore
    predictors: dict[int, Predictor]
    workers: Workers
    clock: WallClock = field(default_factory=WallClock)

    def deploy(self, seconds: float) -> Deploy:
        return deploying(self.settings, self.store, seconds)

    def claim(self, version: int, **params: Any) -> ClaimedAction:
        return claimed(self.store, self.clock, ActionKind.PROMOTE, params, model=MODEL, target=f"{MODEL}@{version}")

    def promote(self, version: int, seconds: float) -> Mapping[str, Any]:
        self.approved(version)
        return Promote(self.deploy(seconds)).run(self.claim(version))

    def approved(self, version: int) -> None:
        """Against who serves now."""
        with self.store.transaction() as tx:
            champion = tx.champions.get(MODEL)
            tx.versions.judge(MODEL, version, "approved", {"judged_against": champion.version if champion else None, "gates": []})

    def champion(self) -> int:
        with self.store.transaction() as tx:
            row = tx.champions.get(MODEL)
        return 0 if row is None else row.version

    def history(self) -> list[DeploymentRow]:
        """The newest first."""
        with self.store.transaction() as tx:
            return list(tx.deployments.history(MODEL))

    def status(self) -> str:
        return self.history()[0].status

    def live(self) -> int:
        """Workers that beat."""
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM serving_workers WHERE heartbeat_at > clock_timestamp() - interval '5 seconds'")
            row = cursor.fetchone()
        return 0 if row is None else int(row[0])

    def counted(self) -> int:
        """Answers of the newest canary."""
        with self.store.transaction() as tx:
            return tx.deployments.canary_tally(tx.deployments.history(MODEL)[0].id).asked

    @cache  # noqa: B019 - one for each of a few tests
    def expected(self, version: int) -> float:
        [answer] = self.predictors[version].answer([GIVEN])
        return float(answer["prediction"])

    __hash__ = object.__hash__


def deploying(settings: Settings, store: PostgresStore, seconds: float) -> Deploy:
    registry, clock = MemoryRegistry(Path(settings.home)), WallClock()
    canary = CanaryStep(store, registry, lambda _: CanaryRules(SHARE, seconds, 100), lambda: False)
    projection, carry_out = ChampionProjection(store, registry, [MODEL]), CarryOut(store, clock)
    return Deploy(store, clock, carry_out, projection, min_confirmations=1, confirm_seconds=60.0, canary=canary)


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
def asked(there: Workers, odd_in: int = 0) -> Iterator[Asking]:
    asking = Asking(there, odd_in)
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


@contextmanager
def rollout(settings: Settings, *versions: int) -> Iterator[Rollout]:
    """Two workers, version FIRST answers. The bad ones say what GOOD says, where they say anything."""
    table = simulated_table()
    store = emptied(PostgresStore(settings.postgres.dsn.get_secret_value()))
    first, second = SPEC.fit(table, 0), SPEC.fit(table.tail(len(table) // 2), 0)
    fitted = {FIRST: first, GOOD: second, BREAKS: spoilt(second), NO_NUMBER: second, SLOW: second}
    for version in (FIRST, *versions):
        place_version(settings, SPEC, fitted[version], table, version, golden_of=first if version == FIRST else second)
        with store.transaction() as tx:
            tx.versions.insert(trained_version(MODEL, version, status="candidate"))
    program = (faulty_worker.__file__, json.dumps(FAULTS))
    with workers(settings, program=program) as started:
        predictors = {version: SPEC.predictor(one.estimators, one.card) for version, one in ((FIRST, first), (GOOD, second))}
        found = Rollout(settings, store, predictors, started)
        until(lambda: found.live() == 2, 180)
        found.promote(FIRST, 1)
        yield found
    store.close()


def promoting(settings: Settings, action_id: UUID, seconds: float) -> subprocess.Popen[bytes]:
    """A run of its own process that carries the action out; the same run each time it is started for it."""
    command = [sys.executable, "-m", "tests.support.rollout", str(settings.home), str(action_id), str(seconds)]
    with (settings.home / "logs" / "promote.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=child_environment(settings.home), cwd=CHECKOUT)


def main() -> None:
    from evergreen.settings import load_settings

    home, action, seconds = sys.argv[1:]
    settings = load_settings(Path(home))
    store = PostgresStore(settings.postgres.dsn.get_secret_value())
    carry_out = CarryOut(store, WallClock())
    claim = carry_out.claim(ActionKind.PROMOTE, f"run-{action}", UUID(action))
    if claim is None:  # the run before was killed when all was done
        return
    with carry_out.working(claim.lease):
        Promote(deploying(settings, store, float(seconds))).run(claim)


if __name__ == "__main__":
    main()
