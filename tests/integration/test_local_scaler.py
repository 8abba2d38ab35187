"""Processes of a real supervisor scaled: started, drained, and as many as wanted whatever is killed in between."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import pytest

from evergreen.core.errors import InvalidRequest, StackError, Unavailable
from evergreen.core.scaling import Bounds
from evergreen.local_stack import guardian
from evergreen.local_stack.context import new_context
from evergreen.local_stack.home import Home
from evergreen.local_stack.part import Part
from evergreen.local_stack.processes import await_true, recorded
from evergreen.local_stack.scaler import LocalScaler
from evergreen.local_stack.stop import stop
from evergreen.local_stack.supervision import Supervisor, start_supervisor, write_configuration
from evergreen.local_stack.testing import port_offset, short_home
from evergreen.local_stack.wanted import converge, want, wanted_processes
from evergreen.ports.scaler import Scale

pytestmark = pytest.mark.connected
WORKER = """
import os, pathlib, signal, sys, time
def drain(*_):
    time.sleep(0.4)
    pathlib.Path(sys.argv[1], "drained-" + os.environ["EVERGREEN_SERVICE"]).touch()
    os._exit(0)
signal.signal(signal.SIGTERM, drain)
while True:
    signal.pause()
"""


@dataclass
class Group:
    home: Home
    scaler: LocalScaler

    def workers(self) -> dict[str, int]:
        """Name -> pid of those that are up."""
        return {each.name: each.pid for each in Supervisor(self.home).processes() if each.group == "serving" and each.pid}

    def drained(self) -> set[str]:
        return {file.name.removeprefix("drained-") for file in self.home.path.glob("drained-*")}

    def runs(self, number: int, seconds: float = 20.0) -> bool:
        return await_true(lambda: self.scaler.current("serving") == Scale(number, number, 2, 4) and len(self.workers()) == number, seconds)


@pytest.fixture
def group() -> Iterator[Group]:
    """Two of four places taken, as after a start."""
    with short_home() as folder, port_offset() as offset:
        context = new_context(folder, offset)
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        command = (sys.executable, "-c", WORKER, str(folder))
        part = Part(name="serving", command=command, probe=lambda: True, socket=address, processes=4, settle_seconds=1)
        write_configuration(context.home, [part, guardian.part(context)])
        context.home.manifest_file.write_text(json.dumps({"processes": {"serving": 2}, "external": []}))
        start_supervisor(context.home)
        found = Group(context.home, LocalScaler(context.home, {"serving": Bounds(2, 4)}))
        assert await_true(lambda: Supervisor(context.home).answers(), 20)
        assert found.runs(2)
        yield found


def test_workers_start_and_the_highest_ones_drain_before_they_end(group: Group) -> None:
    before = group.workers()
    group.scaler.set("serving", 4)
    assert group.runs(4)
    assert before.items() <= group.workers().items()
    group.scaler.set("serving", 2)
    assert (group.workers(), group.drained()) == (before, {"serving-02", "serving-03"})
    group.scaler.set("serving", 2)
    assert group.workers() == before


def test_the_number_survives_a_killed_worker_a_killed_supervisor_and_another_start(group: Group) -> None:
    group.scaler.set("serving", 3)
    assert group.runs(3)
    workers = group.workers()
    os.kill(workers["serving-02"], signal.SIGKILL)
    assert await_true(lambda: group.workers().get("serving-02") not in (None, workers["serving-02"]), 20)
    assert group.runs(3)
    supervisor = recorded(group.home.pid_file("supervisor"))
    assert supervisor is not None
    supervisor.kill()
    assert await_true(lambda: recorded(group.home.pid_file("supervisor")) not in (None, supervisor), 20)
    assert await_true(lambda: Supervisor(group.home).answers(), 20)
    assert group.runs(3)
    before = group.workers()
    assert converge(group.home)  # what `evergreen up` does on a running stack
    assert group.workers() == before


def test_a_wish_whose_wisher_died_is_carried_out_by_the_next_start(group: Group) -> None:
    group.scaler.set("serving", 4)
    want(group.home, "serving", 2)  # and here the process is gone
    assert await_true(lambda: converge(group.home), 20)
    assert len(group.workers()) == 2


def test_of_two_wishes_at_once_one_holds(group: Group) -> None:
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(group.scaler.set, "serving", number) for number in (4, 3)]:
            done.result()
    wanted = wanted_processes(group.home)["serving"]
    assert wanted in (3, 4)
    assert group.runs(wanted)


def test_while_workers_drain_more_can_be_asked_for(group: Group) -> None:
    group.scaler.set("serving", 4)
    with ThreadPoolExecutor(1) as pool:
        less = pool.submit(group.scaler.set, "serving", 2)
        assert await_true(lambda: wanted_processes(group.home)["serving"] == 2, 5)
        group.scaler.set("serving", 4)
        less.result()
    assert group.runs(4)


def test_more_than_the_stack_has_places_for_is_refused_and_nothing_changes(group: Group) -> None:
    greedy = LocalScaler(group.home, {"serving": Bounds(2, 9), "web": Bounds(1, 2)})
    with pytest.raises(InvalidRequest, match="started with at most 4 workers"):
        greedy.set("serving", 5)
    with pytest.raises(InvalidRequest, match="web is not part of the stack"):
        greedy.set("web", 1)
    assert wanted_processes(group.home) == {"serving": 2}


def test_after_a_stop_nobody_brings_a_worker_back(group: Group) -> None:
    stop(group.home)
    with pytest.raises(Unavailable, match="no stack runs"):
        group.scaler.set("serving", 4)
    with pytest.raises(StackError, match="no stack runs"):
        want(group.home, "serving", 4)
    assert not group.home.manifest_file.exists()
