"""`evergreen clock`: what time the platform thinks it is."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from evergreen.core.clock import wall_now

app = typer.Typer(help="The platform clock: `show` it, or let it follow the wall clock again after a replay.")


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        show(as_json=False)


@app.command()
def show(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Mode and platform time."""
    from evergreen.cli.context import parts

    reading = parts().clock.reading()
    now = reading.at(wall_now())
    if as_json:
        typer.echo(json.dumps({"mode": reading.mode, "now": now.isoformat(), "rate": reading.rate, "epoch": reading.epoch}))
    else:
        typer.echo(f"{now:%Y-%m-%d %H:%M:%S} UTC ({reading.mode} mode)")


@app.command()
def wall() -> None:
    """Follow the wall clock from now on; absent batches and retention count anew from here."""
    from evergreen.cli.context import parts

    parts().clock.follow_wall()
    show(as_json=False)
