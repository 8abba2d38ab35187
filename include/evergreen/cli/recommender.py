"""`evergreen recommender rebuild`: what the recommender worker knows of users, made anew from what is recorded."""

from __future__ import annotations

import typer

app = typer.Typer(help="What is known of users for recommendations.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """A group, though it has one command."""


@app.command()
def rebuild() -> None:
    """Make every profile anew from table `interactions`; workers may go on meanwhile. They do it by themselves when Redis was emptied."""
    from evergreen.cli.context import parts

    typer.echo(f"rebuilt the profiles of {parts().recommender.rebuild.run()} users")
