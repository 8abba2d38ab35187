"""`evergreen policy`: check a policy, ask what it would do, verify what was decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Check the policy, ask what would follow from an event, verify recorded decisions.", no_args_is_help=True)
FILE = typer.Argument(help="Default: the one in force.")


@app.command()
def lint(file: Annotated[Path | None, FILE] = None, as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Check a policy file. Exit code 1 names each mistake by its line."""
    from evergreen.adapters.policy_file import load_policy
    from evergreen.contracts.topics import CONTROL_TOPICS, STREAM_TYPES, TOPIC_OF
    from evergreen.settings import load_settings

    path = file or load_settings().policy.path
    policy = load_policy(path)
    alerts = sorted(name for name, topic in TOPIC_OF.items() if topic in CONTROL_TOPICS and name not in {*policy.rules, *STREAM_TYPES})
    if as_json:
        typer.echo(json.dumps({"file": str(path), "hash": policy.hash, "types_without_a_row": alerts}))
        return
    typer.echo(f"{path} is sound ({policy.hash[:12]})")
    typer.echo(f"event types without a row become alerts: {', '.join(alerts) or 'none'}")


@app.command()
def simulate(
    event: Annotated[Path, typer.Argument(help="A CloudEvent as JSON; - reads standard input.", allow_dash=True)],
    file: Annotated[Path | None, typer.Option("--policy", help="Another policy than the one in force.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """What would follow from an event now: the decision and each guard. Nothing is written."""
    import sys

    from evergreen.adapters.policy_file import load_policy
    from evergreen.cli.context import parts
    from evergreen.cli.explain import decided
    from evergreen.contracts.envelope import decode
    from evergreen.contracts.topics import payload_of
    from evergreen.core.clock import wall_now
    from evergreen.ports.records import EventRow
    from evergreen.services.decide import Arrived
    from evergreen.services.explain import Simulate

    here = parts()
    said = decode(sys.stdin.buffer.read() if str(event) == "-" else event.read_bytes())
    arrived = Arrived(EventRow(said, said.content_hash(), received_at=wall_now()), payload_of(said))
    decisions = Simulate(here.store, here.intake.catalogue, load_policy(file or here.settings.policy.path)).run(arrived, here.clock.now())
    bodies = [json.loads(decision.body()) for decision in decisions]
    typer.echo(json.dumps(bodies) if as_json else "\n".join(line for body in bodies for line in decided(body)))


@app.command()
def verify(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
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
