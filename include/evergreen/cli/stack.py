"""`evergreen up|down|status|logs|clean|doctor|setup`: the stack on this machine."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from evergreen.core.errors import StackError

if TYPE_CHECKING:
    from rich.console import Console

    from evergreen.local_stack.status import ServiceStatus, StackStatus

NONE_RUNS = 3
COLOURS = {"healthy": "green", "external": "green", "starting": "yellow", "unhealthy": "red", "gave_up": "bold red", "stopped": "red"}
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    for command in (up, down, status, logs, clean, doctor, setup):
        app.command()(command)


def up() -> None:
    """Start the stack and wait until every part does its work. On a running one: start what is down. Exit code 4: another start is under way."""
    from evergreen.environment import CHECKOUT, chosen_home
    from evergreen.local_stack.progress import StartProgress
    from evergreen.local_stack.start import start

    console = _console()
    signal.signal(signal.SIGTERM, _interrupt)
    home = chosen_home() or CHECKOUT / ".evergreen"
    with StartProgress(console) as progress:
        start(home, progress)
    say_where(console, home)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def down(every: Annotated[bool, typer.Option("--all", help="Both of the checkout's stacks: make up's and the demo's.")] = False) -> None:
    """Stop the stack; no process of it is left. Its data stays."""
    from evergreen.local_stack.choose import default_homes
    from evergreen.local_stack.home import Home
    from evergreen.local_stack.start import interrupt_start
    from evergreen.local_stack.stop import stop

    for home in default_homes() if every else [_home()]:
        interrupt_start(Home(home))
        if home.is_dir() and stop(Home(home)):
            typer.echo(f"stopped {home}")
        elif not every:
            typer.echo(f"no stack runs in {home}")


def status(as_json: Json = False) -> None:
    """State of every part, models, clock, addresses and logins. Exit code 3: no stack runs."""
    from evergreen.local_stack.choose import is_running
    from evergreen.local_stack.status import stack_status

    home = _home()
    if not is_running(home):
        if as_json:
            typer.echo(json.dumps({"home": str(home), "services": {}, "models": {}, "clock": None, "urls": {}}))
        typer.echo(f"no stack runs in {home}; start one with `make up`", err=True)
        raise typer.Exit(NONE_RUNS)
    found = stack_status(home)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        _print_status(_console(), found)


def logs(
    services: Annotated[list[str] | None, typer.Argument(help="Only these; all when none is named.")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0)] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """The last lines of the parts' logs."""
    from evergreen.local_stack.home import Home
    from evergreen.local_stack.logs import follow as follow_files
    from evergreen.local_stack.logs import log_files, tail

    folder = Home(_home()).logs
    files = log_files(folder, services or [])
    if not files:
        raise StackError(f"no log in {folder}" + (f" for {', '.join(services)}" if services else "; start the stack with `make up`"))
    for file in files:
        for line in tail(file, lines):
            typer.echo(f"{file.stem}: {line}")
    if follow:
        for service, line in follow_files(lambda: log_files(folder, services or []), Event()):
            typer.echo(f"{service}: {line}")


def clean(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the stack and delete its data, logs and secrets. Jars and the virtual environment stay. Exit code 4: a start is under way."""
    from evergreen.environment import CHECKOUT, chosen_home
    from evergreen.local_stack.home import Home
    from evergreen.local_stack.lock import start_lock
    from evergreen.local_stack.ownership import maker
    from evergreen.local_stack.stop import stop
    from evergreen.local_stack.wipe import wipe

    home = Home(chosen_home() or CHECKOUT / ".evergreen")
    if maker(home) is None:
        typer.echo(f"there is no stack's data in {home.path}")
        return
    if not yes:
        typer.confirm(f"Delete all data of the stack in {home.path}?", abort=True)
    with start_lock(home):
        stop(home)
        wipe(home)
    typer.echo(f"deleted the data in {home.path}")


def doctor(as_json: Json = False) -> None:
    """Look for what keeps the stack from working and say how to mend it. Exit code 1: something was found."""
    from evergreen.local_stack.doctor import diagnose

    findings = diagnose(_home())
    if as_json:
        typer.echo(json.dumps([{"part": each.part, "problem": each.problem, "remedy": each.remedy} for each in findings], indent=2))
    for each in findings if not as_json else []:
        typer.echo(f"{each.part}: {each.problem}\n    → {each.remedy}")
    if findings:
        raise typer.Exit(1)
    if not as_json:
        typer.echo("nothing wrong was found")


def setup() -> None:
    """Fetch what the stack needs beyond Python packages (Kafka's jars), so that a start works offline."""
    from evergreen.local_stack.jars import kafka_jars
    from evergreen.settings import load_settings

    settings = load_settings()
    settings.cache.mkdir(parents=True, exist_ok=True)
    kafka_jars(settings.cache, progress=typer.echo)


def _home() -> Path:
    from evergreen.local_stack.choose import find_home

    home, notice = find_home()
    if notice:
        typer.echo(notice, err=True)
    return home


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def _print_status(console: Console, found: StackStatus) -> None:
    from evergreen.local_stack.status import SILENT

    console.print(f"home      {found.home}")
    for name, service in found.services.items():
        colour = COLOURS[service.state]
        console.print(f"{name:22} [{colour}]{service.state:10}[/] {_about(service):15} {service.url or ''}")
    if "supervisor" in found.services:
        console.print(f"supervisor: {SILENT}; `make down`, then `make up`")
    for model, at in found.models.items():
        console.print(f"model     {model}@{at['version']} (epoch {at['epoch']}), checked every {at['check_every_seconds']} s")
    if found.clock:
        console.print(f"clock     {found.clock['now']} ({found.clock['mode']})")
    _print_logins(console, found)


def _about(service: ServiceStatus) -> str:
    if not service.workers:
        return f"pid {service.pid}" if service.pid else ""
    limits = f" ({service.limits['min']}–{service.limits['max']})" if service.limits else ""
    return f"{len(service.workers)} workers{limits}"


def _print_logins(console: Console, found: StackStatus) -> None:
    for place, users in found.logins.items():
        console.print(f"log in to {place}: " + ", ".join(f"{user} / {password}" for user, password in users.items()), markup=False)


def say_where(console: Console, home: Path) -> None:
    """Where to look now: addresses and logins of the stack that runs in a home."""
    from evergreen.local_stack.status import stack_status

    found = stack_status(home)
    for name, url in found.urls.items():
        console.print(f"{name:12}{url}", markup=False)
    _print_logins(console, found)
