"""`evergreen policy replay|backtest`: recorded events decided again, by the policies of then or by another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from evergreen.services.backtest_tally import Comparison

From = Annotated[str | None, typer.Option("--from", help="Platform time, e.g. 2026-01-31 or 2026-01-31T09:00:00+09:00. Default: everything.")]
To = Annotated[str | None, typer.Option("--to", help="Up to, not including.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    app.command()(replay)
    app.command()(backtest)


def replay(since: From = None, until: To = None, as_json: Json = False) -> None:
    """Decide recorded events again with the policies of then. Exit code 1 at the first decision that is not byte for byte the same."""
    from evergreen.cli.context import parts
    from evergreen.core.clock import wall_now
    from evergreen.services.replay_decisions import ReplayDecisions

    span = (_instant(since, "--from"), _instant(until, "--to"))
    started = wall_now()
    with _progress(quiet=as_json) as told:
        replayed = ReplayDecisions(parts().store).run(*span, told)
    seconds = (wall_now() - started).total_seconds()
    if as_json:
        typer.echo(json.dumps({**asdict(replayed), "seconds": round(seconds, 3)}))
    else:
        typer.echo(replayed.difference or f"{replayed.decisions} decisions made again, byte for byte the same, in {seconds:.1f} s")
    if replayed.difference:
        raise typer.Exit(1)


def backtest(
    candidate: Annotated[Path, typer.Argument(help="A policy file.")],
    since: From = None,
    until: To = None,
    as_json: Json = False,
) -> None:
    """What another policy would have done with the recorded events: retrains, rollbacks, suppressed, minutes to react, cost, incidents missed."""
    from evergreen.adapters.policy_file import load_policy
    from evergreen.cli.context import parts
    from evergreen.services.backtest import Backtest

    policy, here = load_policy(candidate), parts()
    with _progress(quiet=as_json) as told:
        found = Backtest(here.store, here.intake.catalogue).run(policy, _instant(since, "--from"), _instant(until, "--to"), told)
    if as_json:
        typer.echo(json.dumps({"candidate": policy.hash, **asdict(found)}, ensure_ascii=False))
    else:
        typer.echo("\n".join(_told(found)))


def _told(found: Comparison) -> list[str]:
    lines = [f"{found.events} decisions, {found.differing} differ", f"{'':24}{'recorded':>10}{'candidate':>11}"]
    lines += [f"{name:24}{was:>10}{would:>11}" for name, (was, would) in found.actions.items()]
    lines += [f"{'stopped by ' + name:24}{was:>10}{would:>11}" for name, (was, would) in found.stopped.items()]
    lines.append(f"{'minutes to react':24}{_number(found.minutes_to_react[0]):>10}{_number(found.minutes_to_react[1]):>11}")
    if found.training_seconds is not None:
        lines.append(f"{'training seconds':24}{found.training_seconds[0]:>10.1f}{found.training_seconds[1]:>11.1f}")
    lines.append(f"incidents missed: {len(found.missed)}; incidents answered that were left alone: {found.gained}")
    lines += [f"  missed: {one['severity']} {one['event']} of {one['model']} at {one['at']}" for one in found.missed[:20]]
    lines += [f"  {one['at']} {one['model']}: was {', '.join(one['recorded'])}; would be {', '.join(one['candidate'])}" for one in found.examples]
    return lines


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _instant(text: str | None, option: str) -> datetime | None:
    """A day is its midnight in UTC. Raises InvalidRequest."""
    from datetime import UTC

    from evergreen.core.errors import InvalidRequest

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"{option} {text!r} is no time; write for example 2026-01-31 or 2026-01-31T09:00:00+09:00") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int], Any]]:
    """A line on the terminal that says how many decisions were looked at."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _done: None
        return
    with console.status("reading decisions …") as status:
        yield lambda done: status.update(f"{done:,} decisions …")
