"""`evergreen policy`: check a policy, ask what it would do, verify and repeat what was decided, stop and resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evergreen.cli import policy_history, policy_switch

if TYPE_CHECKING:
    from evergreen.core.rules import Policy
    from evergreen.services.decide import Arrived

app = typer.Typer(help="Check the policy, ask what would follow from an event, verify and repeat recorded decisions, pause and resume.", no_args_is_help=True)
policy_history.register(app)
policy_switch.register(app)
FILE = typer.Argument(help="Default: the one in force.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def lint(file: Annotated[Path | None, FILE] = None, as_json: Json = False) -> None:
    """Check a policy file: mistakes, cells nobody reaches, events without a row, actions without a cooldown, gaps in the calendar.
    Exit code 1 when anything is found; each is named by its line."""
    from evergreen.adapters.policy_file import line_of, load_policy
    from evergreen.core.errors import InvalidPolicy
    from evergreen.core.lint import findings
    from evergreen.settings import load_settings

    path = file or load_settings().policy.path
    try:
        policy = load_policy(path)
    except InvalidPolicy as error:
        if as_json:
            typer.echo(json.dumps({"file": str(path), "hash": None, "findings": str(error).splitlines()}))
            raise typer.Exit(1) from error
        raise
    found = [f"{path}:{line_of(path, one.path)}: {one}" for one in findings(policy)]
    if as_json:
        typer.echo(json.dumps({"file": str(path), "hash": policy.hash, "findings": found}))
    else:
        typer.echo("\n".join(found) or f"{path} is sound ({policy.hash[:12]})")
    if found:
        raise typer.Exit(1)


@app.command()
def simulate(
    event: Annotated[Path, typer.Argument(help="A CloudEvent as JSON, or flat JSON with an event_type; - reads standard input.", allow_dash=True)],
    file: Annotated[Path | None, typer.Option("--policy", help="Another policy than the one in force.")] = None,
    as_json: Json = False,
) -> None:
    """What would follow from an event now: the decision and each guard. Nothing is written. Where no stack runs, from an empty record."""
    import sys

    from evergreen.cli.explain import decided
    from evergreen.contracts.topics import payload_of
    from evergreen.core.clock import wall_now
    from evergreen.core.errors import InvalidRequest
    from evergreen.ports.records import EventRow
    from evergreen.services.decide import Arrived
    from evergreen.services.wrap import unwrapped

    try:
        said = unwrapped(sys.stdin.buffer.read() if str(event) == "-" else event.read_bytes(), now=wall_now)
    except OSError as error:
        raise InvalidRequest(f"{event} cannot be read: {error.strerror}") from error
    arrived = Arrived(EventRow(said, said.content_hash(), received_at=wall_now()), payload_of(said))
    bodies = _simulated(arrived, file)
    typer.echo(json.dumps(bodies, ensure_ascii=False) if as_json else "\n".join(line for body in bodies for line in decided(body)))


def _simulated(arrived: Arrived, file: Path | None) -> list[dict[str, Any]]:
    from evergreen.bootstrap import Parts
    from evergreen.cli.context import running_parts
    from evergreen.services.explain import Simulate, decide_on_nothing
    from evergreen.settings import load_settings

    here = running_parts()
    if here is not None:
        decisions = Simulate(here.store, here.intake.catalogue, _policy(file) if file else here.intake.active_policy.current()).run(arrived, here.clock.now())
    else:
        typer.echo("no stack runs: decided on an empty record, at the event's own time", err=True)
        settings = load_settings()
        models = {name: spec.datasets for name, spec in Parts(settings).specs.items()}
        decisions = decide_on_nothing(arrived, models, _policy(file or settings.policy.path), arrived.row.event.time)
    return [json.loads(decision.body()) for decision in decisions]


def _policy(path: Path) -> Policy:
    from evergreen.adapters.policy_file import load_policy

    return load_policy(path)


@app.command()
def verify(as_json: Json = False) -> None:
    """Recompute the chain of recorded decisions. Exit code 1 at the first that was changed."""
    from evergreen.cli.context import parts
    from evergreen.services.explain import Verify

    held, fault = Verify(parts().store).run()
    if as_json:
        typer.echo(json.dumps({"decisions": held, "fault": fault}))
    else:
        typer.echo(fault or f"{held} decisions, each follows from the one before it")
    if fault:
        raise typer.Exit(1)
