"""From an action that was asked for to what came of it: progress on stderr, the result on stdout."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from evergreen.contracts.actions import Action, ActionKind

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts


def follow(made: Parts, action: Action, timeout: float, no_wait: bool, as_json: bool) -> None:
    """Watch the DAG carry it out; with `no_wait` say only that it was asked for."""
    from evergreen.services.await_action import AwaitAction

    if no_wait:
        typer.echo(json.dumps({"action_id": str(action.id)}) if as_json else f"action {action.id} asked for; Airflow's DAG `{action.kind}` carries it out")
        return
    result = dict(AwaitAction(made.store).run(action.id, timeout, lambda words: typer.echo(words, err=True)))
    if as_json:
        typer.echo(json.dumps({"action_id": str(action.id), "result": result}, indent=2))
        return
    for name, value in result.items():
        typer.echo(f"{name:>18}  {value}")
    if action.kind is ActionKind.RETRAIN and "model_version" in result:
        typer.echo(f"The gates judge it next: `evergreen models report {result['model_version']}`")
