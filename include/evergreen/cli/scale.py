"""`evergreen scale`: how many workers a service has, and a person's wish for another number."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts


def register(app: typer.Typer) -> None:
    app.command()(scale)


def scale(
    service: Annotated[str, typer.Argument(help="For example serving.")],
    number: Annotated[int | None, typer.Argument(help="Workers it should have; default: show the numbers.", metavar="[N]")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait; the action goes on without us.")] = 180.0,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show or set how many workers a service has. Setting is an action like any other: recorded, carried out by the monitor's scaler."""
    from evergreen.cli.context import parts

    made = parts()
    if number is None:
        _show(made, service, as_json)
        return
    result = _wish(made, service, number, timeout)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    bound = f", the {result['bound']}" if result.get("bound") else ""
    typer.echo(f"{result['service']}: {result['before']} → {result['after']} workers{bound}")


def _show(made: Parts, service: str, as_json: bool) -> None:
    from dataclasses import asdict

    from evergreen.local_stack.scaling import scaler

    found = scaler(made.settings).current(service)
    if as_json:
        typer.echo(json.dumps({"service": service, **asdict(found)}, indent=2))
    else:
        typer.echo(f"{service}: {found.running} of {found.wanted} workers run ({found.minimum}–{found.maximum})")


def _wish(made: Parts, service: str, number: int, timeout: float) -> dict[str, Any]:
    """The bounds are checked here, so that a mistake is told at once. Progress goes to stderr."""
    from evergreen.cli.context import whoever
    from evergreen.contracts.actions import NO_MODEL, ActionKind
    from evergreen.contracts.envelope import new_id
    from evergreen.local_stack.scaling import scaled_services, scaler
    from evergreen.ports.scaler import checked
    from evergreen.services.await_action import AwaitAction

    checked(service, number, scaled_services(made.settings))
    kind = ActionKind.SCALE_UP if number >= scaler(made.settings).current(service).wanted else ActionKind.SCALE_DOWN
    action = made.carry_out.request(kind, model=NO_MODEL, target=service, reason="manual", who=whoever(), key=new_id(), params={"to": number})
    result = AwaitAction(made.store).run(action.id, timeout, lambda words: typer.echo(words, err=True))
    return {"action_id": str(action.id), **result}
