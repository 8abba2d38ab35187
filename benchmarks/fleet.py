"""Our side: a real stack, versions on disk as a worker keeps them, workers on a socket as the supervisor starts them, promoted to by the real protocol."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis

from benchmarks.access import token
from benchmarks.material import FIRST_DAY, LAST_DAY, SPEC, Material
from benchmarks.processes import Program, running
from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.adapters.redis_bloom import RedisSeenIndex
from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import WallClock
from evergreen.environment import child_environment
from evergreen.ports.shadow_trials import ShadowTrial
from evergreen.ports.versions import VersionRow
from evergreen.services.carry_out import CarryOut
from evergreen.services.champion_projection import ChampionProjection
from evergreen.services.deploy import Deploy
from evergreen.services.promote import Promote
from evergreen.settings import Settings
from tests.support.claims import claimed
from tests.support.worker_processes import place_version, until

START_SECONDS = 60.0
CONFIRM_SECONDS = 60.0
SEEN_A_DAY = 1_000


@dataclass
class Fleet:
    settings: Settings
    material: Material
    store: PostgresStore
    headers: Mapping[str, str]
    """A token's, on every request to ours."""
    clock: WallClock
    registry: MemoryRegistry
    """Keeps the aliases of the promotions."""

    @contextmanager
    def workers(self, name: str, count: int) -> Iterator[list[Program]]:
        """On one socket, started, not awaited."""
        with ExitStack() as open_ones:
            listener = open_ones.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
            names = [f"{name}-{number:02d}" for number in range(count)]
            yield [open_ones.enter_context(self.worker(one, listener)) for one in names]

    @contextmanager
    def worker(self, name: str, listener: socket.socket) -> Iterator[Program]:
        environment = child_environment(self.settings.home) | {"EVERGREEN_SERVICE": name}
        port = listener.getsockname()[1]
        with running(name, [sys.executable, "-m", "serving"], port, environment, self.settings.home / "logs", inherit=listener.fileno()) as program:
            yield program

    def await_live(self, count: int) -> None:
        query = "SELECT count(*) FROM serving_workers WHERE state <> 'draining' AND heartbeat_at > clock_timestamp() - interval '5 seconds'"
        until(lambda: self._ask(query)[0] >= count, START_SECONDS)

    def promote(self, version: int) -> Mapping[str, Any]:
        """Returns when every live worker serves it."""
        projection = ChampionProjection(self.store, self.registry, [SPEC.name])
        deploy = Deploy(self.store, self.clock, CarryOut(self.store, self.clock), projection, min_confirmations=1, confirm_seconds=CONFIRM_SECONDS)
        asked = {"forced": True, "reason": "benchmark"}
        return Promote(deploy).run(claimed(self.store, self.clock, ActionKind.PROMOTE, asked, model=SPEC.name, target=f"{SPEC.name}@{version}"))

    def begin_trials(self) -> None:
        """Of each version beside the other, for an hour at most."""
        now = self.clock.now()
        with self.store.transaction() as tx:
            for version, champion in ((1, 2), (2, 1)):
                tx.shadow_trials.start(ShadowTrial(SPEC.name, version, champion, now, now + timedelta(hours=1)))

    def end_trials(self) -> None:
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("DELETE FROM shadow_trials")

    def place(self) -> None:
        now = datetime(LAST_DAY.year, LAST_DAY.month + 1, 1, tzinfo=UTC)
        material = self.material
        for version, fitted in material.versions.items():
            place_version(self.settings, SPEC, fitted, material.table, version, golden_of=fitted)
            row = VersionRow(SPEC.name, version, None, f"run-{version}", "", "benchmark", FIRST_DAY, LAST_DAY, len(material.table), now, "approved")
            with self.store.transaction() as tx:
                tx.versions.insert(row)

    def index(self) -> None:
        """The seen index as the indexer keeps it: a week's videos, none of those that are asked about."""
        with Redis.from_url(self.settings.redis.url.get_secret_value()) as redis:
            index, today = RedisSeenIndex(redis), self.clock.now().date()
            index.end_rebuild(None)
            index.add_many({today - timedelta(days=back): [f"seen-{back}-{number}" for number in range(SEEN_A_DAY)] for back in range(7)})

    def _ask(self, query: str) -> tuple[Any, ...]:
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone() or ()


@contextmanager
def fleet(settings: Settings, material: Material) -> Iterator[Fleet]:
    (settings.home / "logs").mkdir(exist_ok=True)
    store = PostgresStore(settings.postgres.dsn.get_secret_value())
    found = Fleet(settings, material, store, token(settings), WallClock(), MemoryRegistry(settings.home))
    found.place()
    yield found
    store.close()
