"""Run one part: end what an earlier start of it left behind, wait for what it needs, then become it.

    python -m evergreen.local_stack.launch HOME SERVICE

The supervisor starts every part through this, so that a part that was killed, a supervisor that was killed and a whole machine that
was switched off all come back the same way, each part after those it needs, in one process. What to run stands in the home (mode 0600,
since it holds secrets): see `LaunchPlan`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event

from evergreen.local_stack.home import Home, write_private
from evergreen.local_stack.processes import END_SECONDS, end, end_home, of_service, record_self

POLL_SECONDS = 0.1
SUPERVISOR = "supervisor"


def _is_met(condition: str) -> bool:
    kind, _, value = condition.partition(":")
    if kind == "file":
        return Path(value).exists()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", int(value))) == 0


@dataclass(frozen=True)
class LaunchPlan:
    command: list[str]
    environment: dict[str, str]
    wait: list[str]
    """Conditions, `tcp:PORT` on loopback or `file:PATH`, met in this order."""
    stop_signal: str = "TERM"
    uid: int | None = None
    gid: int | None = None
    directory: str | None = None

    def write(self, home: Home, part: str) -> None:
        write_private(home.plan_file(part), json.dumps(asdict(self)))


def launch(home: Home, service: str) -> None:
    """Never returns. One part may have several processes, `serving-00`, `serving-01`: they share the plan, not the past."""
    plan = LaunchPlan(**json.loads(home.plan_file(service.rstrip("0123456789").rstrip("-")).read_text()))
    if service == SUPERVISOR:
        end_home(home)  # every part is started anew, and serving's orphans hold the socket the supervisor needs
    else:
        end(of_service(home, service), signal.Signals[f"SIG{plan.stop_signal}"], END_SECONDS)
    home.ready_file(service).unlink(missing_ok=True)
    record_self(home.pid_file(service))
    pause = Event()
    for condition in plan.wait:
        while not _is_met(condition):
            pause.wait(POLL_SECONDS)
    if plan.directory:
        os.chdir(plan.directory)
    if plan.uid is not None and plan.gid is not None:
        os.setgroups([])
        os.setgid(plan.gid)
        os.setuid(plan.uid)
    os.execve(plan.command[0], plan.command, plan.environment | {"EVERGREEN_SERVICE": service})  # noqa: S606 - becoming the part is the point


if __name__ == "__main__":
    launch(Home(Path(sys.argv[1])), sys.argv[2])
