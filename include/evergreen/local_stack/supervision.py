"""The supervisor: its configuration, its start, and its remote calls over a Unix socket only this user opens."""

from __future__ import annotations

import shlex
import subprocess
import sys
import xmlrpc.client
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, cast

from evergreen.core.errors import StackError
from evergreen.environment import child_environment
from evergreen.local_stack.home import Home, write_private
from evergreen.local_stack.launch import LaunchPlan
from evergreen.local_stack.part import Part
from evergreen.local_stack.unix_http import UnixConnection

START_RETRIES = 8
"""Failed starts in a row, each a second further apart, before the supervisor gives up and says so."""
ANSWER_SECONDS = 10.0
"""It answers within milliseconds, but does one thing at a time and shares the machine with a start."""
DOWN = frozenset({"STOPPED", "EXITED", "FATAL"})
UP = frozenset({"STARTING", "RUNNING", "BACKOFF"})
LOG_BYTES = "10MB"
LOG_BACKUPS = 3

_started: list[subprocess.Popen[bytes]] = []
"""Kept until they end: they are this process's children, as long as it lives."""


@dataclass(frozen=True)
class ProcessState:
    name: str
    group: str
    state: str
    """The supervisor's word: STOPPED STARTING RUNNING BACKOFF STOPPING EXITED FATAL UNKNOWN."""
    pid: int | None
    seconds: int
    """Since it was started."""
    error: str


def _section(home: Home, part: Part) -> str:
    name = f"{part.name}-%(process_num)02d" if part.many else part.name
    lines = {
        "command": f"{_quoted(sys.executable)} -m evergreen.local_stack.launch {_quoted(home.path)} {name}",
        "process_name": name,
        "numprocs": str(part.processes),
        "autostart": "false" if part.many else "true",
        "autorestart": "true",
        "startsecs": str(part.settle_seconds),
        "startretries": str(START_RETRIES),
        "stopsignal": part.stop_signal,
        "stopwaitsecs": str(part.stop_seconds),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": f"{_escaped(home)}/logs/{name}.log",
        "stdout_logfile_maxbytes": LOG_BYTES,
        "stdout_logfile_backups": str(LOG_BACKUPS),
        "environment": f'EVERGREEN_SERVICE="{name}"',
    }
    if part.socket:
        lines["socket"] = part.socket
        lines["socket_backlog"] = "1024"
    return f"[{'fcgi-program' if part.socket else 'program'}:{part.name}]\n" + "".join(f"{key}={value}\n" for key, value in lines.items())


def _escaped(home: Home) -> str:
    return str(home.path).replace("%", "%%")


def _quoted(word: object) -> str:
    """One word of a command, whatever stands in it: the supervisor splits as a shell does and expands `%`."""
    return shlex.quote(str(word)).replace("%", "%%")


def write_configuration(home: Home, parts: list[Part]) -> None:
    """The supervisor's file, and how each part is launched."""
    head = f"""[unix_http_server]
file={str(home.supervisor_socket).replace("%", "%%")}
chmod=0700
[supervisord]
nodaemon=true
silent=true
logfile={_escaped(home)}/logs/supervisor.log
logfile_maxbytes={LOG_BYTES}
logfile_backups={LOG_BACKUPS}
pidfile={_escaped(home)}/run/supervisord.pid
minfds=1024
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    write_private(home.supervisor_config, head + "".join(_section(home, part) for part in parts))
    basic = child_environment(home.path)
    for part in parts:
        plan = LaunchPlan(
            command=list(part.command),
            environment=basic | dict(part.environment),
            wait=[condition for condition in part.after if condition],
            stop_signal=part.stop_signal,
            uid=part.uid,
            gid=part.gid,
            directory=str(part.directory or home.path),
        )
        plan.write(home, part.name)
    own = [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(home.supervisor_config)]
    LaunchPlan(own, basic, [], directory=str(home.path)).write(home, "supervisor")


def start_supervisor(home: Home) -> None:
    """Start it in a session of its own: a Ctrl-C meant for a command must not reach it."""
    launcher = [sys.executable, "-m", "evergreen.local_stack.launch", str(home.path), "supervisor"]
    with (home.logs / "supervisor.out").open("ab") as output:
        started = subprocess.Popen(
            launcher,
            env=child_environment(home.path) | {"EVERGREEN_SERVICE": "supervisor"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _started.append(started)


def reap() -> None:
    """Collect supervisors that this process started and that have ended."""
    _started[:] = [process for process in _started if process.poll() is None]


class Supervisor:
    """Remote calls; each opens its own connection. Raises `StackError` when nobody answers."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def _call(self, method: str, *arguments: Any, seconds: float | None = ANSWER_SECONDS) -> Any:
        from supervisor.xmlrpc import Faults, SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{self._home.supervisor_socket}")
        transport._get_connection = lambda: UnixConnection(self._home.supervisor_socket, seconds)
        try:
            proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
            return getattr(proxy.supervisor, method)(*arguments)
        except (OSError, HTTPException) as error:
            raise StackError(f"the supervisor of {self._home.path} does not answer ({error})") from None
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == Faults.SHUTDOWN_STATE:
                raise StackError(f"the supervisor of {self._home.path} is ending; wait for it, or look with `make status`") from None
            raise
        finally:
            transport.close()

    def processes(self) -> list[ProcessState]:
        found = cast(list[dict[str, Any]], self._call("getAllProcessInfo"))
        return [
            ProcessState(each["name"], each["group"], each["statename"], each["pid"] or None, max(0, each["now"] - each["start"]), each["spawnerr"])
            for each in found
        ]

    def start(self, process: str) -> None:
        """`GROUP:NAME`; not an error when it runs already."""
        try:
            self._call("startProcess", process, False)
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise StackError(f"{process} cannot be started: {fault.faultString}; see its log") from None

    def stop(self, process: str, *, wait: bool = True) -> None:
        """`GROUP:NAME`; not an error when it does not run."""
        try:
            self._call("stopProcess", process, wait, seconds=None if wait else ANSWER_SECONDS)
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise StackError(f"{process} cannot be stopped: {fault.faultString}") from None

    def converge(self, wanted: dict[str, int], states: frozenset[str] = DOWN) -> bool:
        """One step towards as many processes of each group as wanted: those in `states` are started (first workers, whatever gave up or was
        stopped), surplus ones, the highest numbers first, are told to end. True when there was nothing to do and none is on its way out."""
        processes = self.processes()
        settled = True
        for group, number in wanted.items():
            members = sorted((each for each in processes if each.group == group), key=lambda each: each.name)
            up = [each.name for each in members if each.state in UP]
            down = [each.name for each in members if each.state in states]
            for name in up[number:]:
                self.stop(f"{group}:{name}", wait=False)
            for name in down[: max(0, number - len(up))]:
                self.start(f"{group}:{name}")
            settled = settled and len(up) == number and not any(each.state == "STOPPING" for each in members)
        return settled

    def shutdown(self) -> None:
        """Ask it to stop every part and end; returns at once."""
        self._call("shutdown")

    def answers(self) -> bool:
        try:
            return bool(self._call("getState")["statename"] == "RUNNING")
        except StackError:
            return False
