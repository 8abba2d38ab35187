"""The whole way: a scale action in the work list, the executor, the supervisor, real serving workers under load that drops nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.bootstrap import Parts
from evergreen.contracts.actions import NO_MODEL, Action, ActionKind
from evergreen.domains.videos.spec import video_spec
from evergreen.environment import child_environment
from evergreen.local_stack.home import Home as Folder
from evergreen.local_stack.scaling import scaler
from evergreen.local_stack.status import stack_status
from evergreen.local_stack.supervision import Supervisor
from evergreen.local_stack.testing import stack
from evergreen.services.await_action import AwaitAction
from evergreen.services.champion_projection import ChampionProjection
from evergreen.services.deploy import Deploy
from evergreen.services.promote import Promote
from evergreen.settings import Settings
from evergreen.workers.scale_step import ScaleStep
from tests.support.claims import claimed
from tests.support.load import Load, under_load
from tests.support.tokens import bearer
from tests.support.worker_processes import place_version, simulated_table, trained_version, until

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(300)]
SPEC = video_spec("KR")
FEATURES = {"title": "여름 브이로그 #1", "category_id": 22, "published_at": "2025-05-24T09:00:00Z", "list_date": "2025-05-25", "channel_videos": 2}


@dataclass
class Home:
    settings: Settings
    parts: Parts

    @property
    def url(self) -> str:
        return self.settings.serving.url

    def known(self, version: int) -> None:
        with self.parts.store.transaction() as tx:
            tx.versions.insert(trained_version(SPEC.name, version))

    def promote(self, version: int) -> list[str]:
        """Who confirmed."""
        store, clock = self.parts.store, self.parts.clock
        projection = ChampionProjection(store, MemoryRegistry(Path(self.settings.home)), [SPEC.name])
        deploy = Deploy(store, clock, self.parts.carry_out, projection, min_confirmations=2, confirm_seconds=60)
        claim = claimed(store, clock, ActionKind.PROMOTE, {"forced": True, "reason": "test"}, model=SPEC.name, target=f"{SPEC.name}@{version}")
        return list(Promote(deploy).run(claim)["confirmed_by"])

    def asked(self, kind: ActionKind) -> UUID:
        now = self.parts.clock.now()
        action = Action(id=uuid4(), kind=kind, model=NO_MODEL, target="serving", reason="system_overload", due_at=now, as_of=now)
        with self.parts.store.transaction() as tx:
            tx.actions.insert(action, key=str(action.id), event_type="system_overload", accepted_at=now)
        return action.id

    def done(self, action_id: UUID) -> dict[str, Any]:
        return dict(AwaitAction(self.parts.store).run(action_id, 90, lambda _words: None))

    def live(self, state: str = "ready") -> set[str]:
        query = "SELECT worker_id FROM serving_workers WHERE state = %s AND heartbeat_at > clock_timestamp() - interval '3 seconds'"
        with self.parts.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute(query, (state,))
            return {worker for (worker,) in cursor.fetchall()}

    def processes(self) -> dict[str, int]:
        """Name -> pid of the supervisor's."""
        return {each.name: each.pid for each in Supervisor(Folder(self.settings.home)).processes() if each.group == "serving" and each.pid}

    def counted(self) -> float:
        """By /metrics."""
        lines = httpx.get(f"{self.url}/metrics", timeout=20).text.splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith("serving_workers"))

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "evergreen.cli.main", "--home", str(self.settings.home), *arguments]
        return subprocess.run(command, env=child_environment(self.settings.home), capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def executor(parts: Parts) -> Iterator[None]:
    """As the monitor's leader runs it."""
    stop = threading.Event()
    step = ScaleStep(parts, stop)

    def run() -> None:
        while not stop.is_set():
            step()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """Two workers that answer with version 1."""
    with stack({"postgres", "kafka", "redis", "serving"}) as settings:
        found = Home(settings, Parts(settings))
        table = simulated_table()
        fitted = SPEC.fit(table, 0)
        for version in (1, 2):
            place_version(settings, SPEC, fitted, table, version, golden_of=fitted)
            found.known(version)
        until(lambda: len(found.live()) == 2, 60)
        found.promote(1)
        with executor(found.parts):
            yield found
        found.parts.store.close()


def question(video: str) -> dict[str, Any]:
    return {"video_id": video, "features": FEATURES}


def test_from_two_workers_to_four_and_back_with_promotions_in_between_no_request_fails(home: Home) -> None:
    """The figures are printed, not asserted: other tests share the machine."""
    begun = time.monotonic()
    with under_load(home.url, question, bearer(home.settings)) as load:
        up = home.asked(ActionKind.SCALE_UP)
        until(lambda: len(home.processes()) > 2, 60)  # new workers begin in the middle of a promotion
        assert len(home.promote(2)) >= 2
        seen(load, f"{SPEC.name}@2", time.monotonic())
        assert home.done(up) == {"service": "serving", "before": 2, "after": 4, "bound": "maximum"}
        until(lambda: len(home.live()) == 4, 60)
        assert home.counted() == 4
        scaled_up = time.monotonic()
        first, second = home.asked(ActionKind.SCALE_DOWN), home.asked(ActionKind.SCALE_DOWN)
        until(lambda: bool(home.live("draining")), 30)  # and one goes in the middle of the next
        assert len(home.promote(1)) >= 2
        seen(load, f"{SPEC.name}@1", time.monotonic())
        assert [home.done(action)["after"] for action in (first, second)] == [3, 2]
        ended = time.monotonic()
    print(f"\n2→4 in {scaled_up - begun:.1f} s, 4→2 in {ended - scaled_up:.1f} s, {len(load.answers)} answers on "  # noqa: T201 - the figure
          f"3 kept and {load.connections} new connections, {len(load.failures)} failed")  # fmt: skip
    assert load.failures == []
    assert {worker.split(":")[0] for worker in home.live()} == {"serving-00", "serving-01"}
    assert home.counted() == 2
    assert len(stack_status(home.settings.home).services["serving"].workers or []) == 2


def seen(load: Load, version: str, since: float) -> None:
    """Once a promotion is confirmed every answer is the new version's, by workers that have just started or are about to end too."""
    until(lambda: sum(asked >= since for asked, _ in list(load.answers)) > 50, 30)
    assert load.versions_since(since) == {version}


def test_a_killed_worker_is_not_counted_and_comes_back_to_the_same_number(home: Home) -> None:
    os.kill(home.processes()["serving-01"], signal.SIGKILL)
    until(lambda: home.counted() == 1, 30)
    until(lambda: home.counted() == 2 and len(home.live()) == 2, 60)
    assert len(stack_status(home.settings.home).services["serving"].workers or []) == 2


def test_a_person_scales_by_command_and_it_is_recorded(home: Home) -> None:
    until(lambda: scaler(home.settings).current("serving").running == 2, 30)  # the supervisor trusts a new process after ten seconds
    assert json.loads(home.command("scale", "serving", "--json").stdout) == {"service": "serving", "running": 2, "wanted": 2, "minimum": 2, "maximum": 4}
    for number, words in (("5", "serving takes 2 to 4 workers, not 5"), ("1", "serving takes 2 to 4 workers, not 1")):
        refused = home.command("scale", "serving", number)
        assert (refused.returncode, words in refused.stderr) == (1, True)
    unknown = home.command("scale", "kafka", "3")
    assert (unknown.returncode, unknown.stderr) == (1, "evergreen: 'kafka' cannot be scaled; what can be: recommender, serving\n")
    done = json.loads(home.command("scale", "serving", "3", "--json").stdout)
    assert (done["before"], done["after"], done["bound"]) == (2, 3, None)
    with home.parts.store.transaction() as tx:
        row = tx.actions.require(UUID(done["action_id"]))
    assert (row.action.kind, row.event_type, row.action.params["to"]) == (ActionKind.SCALE_UP, "manual", 3)
    assert str(row.action.params["requested_by"]).startswith("cli:")
    assert "3 workers (2–4)" in home.command("status").stdout
    assert home.command("scale", "serving").stdout == "serving: 3 of 3 workers run (2–4)\n"
    assert home.command("scale", "serving", "2").stdout == "serving: 3 → 2 workers, the minimum\n"
