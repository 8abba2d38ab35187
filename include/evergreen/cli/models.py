"""`evergreen models`: versions and who serves; train, promote and roll back by hand, as actions like any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evergreen.cli.following import follow
from evergreen.cli.ledger import ledger
from evergreen.cli.submit import submit
from evergreen.contracts.actions import ActionKind

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts
    from evergreen.services.change_by_hand import Change
    from evergreen.services.show_models import ShowModels

app = typer.Typer(no_args_is_help=True, help="Versions, champions and their history; train, promote and roll back by hand.")
app.command()(submit)
app.command()(ledger)

Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Model = Annotated[str | None, typer.Argument(help="Default: the home's first model.")]
Timeout = Annotated[float, typer.Option(min=1, help="Seconds to wait; the action goes on without us.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen, change nothing.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Ask and return.")]


@app.command("list")
def list_versions(as_json: Json = False) -> None:
    """Every model with its versions, newest first."""
    from evergreen.cli.context import parts
    from evergreen.cli.tables import versions_table

    models = _shown(parts()).overview()
    if as_json:
        typer.echo(json.dumps(models, indent=2))
    else:
        versions_table(models)


@app.command()
def history(model: Model = None, as_json: Json = False) -> None:
    """Which version served from when to when (platform time), and why."""
    from evergreen.cli.context import parts
    from evergreen.cli.tables import history_table

    made = parts()
    deployments = _shown(made).history(model or _first(made))
    if as_json:
        typer.echo(json.dumps(deployments, indent=2))
    else:
        history_table(deployments)


@app.command()
def report(
    version: Annotated[str | None, typer.Argument(help="name@N, or a model for its champion.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write the page MLflow keeps as report.html to this file.")] = None,
    as_json: Json = False,
) -> None:
    """One version: why and on what it was trained, every gate, its deployments, how it does."""
    from evergreen.cli.context import parts
    from evergreen.cli.tables import report_text

    made = parts()
    found = _shown(made).report(version or _first(made))
    if html is not None:
        html.write_bytes(made.retrain_reports.html(found["version"]))
        typer.echo(f"{found['version']}: {html}", err=True)
    elif as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        report_text(found)


@app.command()
def train(model: Model = None, timeout: Timeout = 900.0, no_wait: NoWait = False, as_json: Json = False) -> None:
    """Train a candidate on what is known now; the gates judge it next, and an approved one is promoted."""
    from evergreen.cli.context import parts, whoever
    from evergreen.contracts.envelope import new_id

    made = parts()
    model = model or _first(made)
    made.spec(model)
    with made.store.transaction() as tx:
        reason = "manual" if tx.champions.get(model) else "bootstrap"
    action = made.carry_out.request(ActionKind.RETRAIN, model=model, target=model, reason=reason, who=whoever(), key=new_id())
    follow(made, action, timeout, no_wait, as_json)


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="name@N")],
    force: Annotated[bool, typer.Option("--force", help="Skip the gates' verdict; recorded, still confirmed by the servers and baked.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why; required with --force.")] = None,
    dry_run: DryRun = False,
    timeout: Timeout = 300.0,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Make an approved version the champion."""
    from evergreen.cli.context import parts
    from evergreen.services.change_by_hand import Change
    from evergreen.services.version_names import parse_version

    if force and not reason and not dry_run:
        raise typer.BadParameter("--force needs --reason: it is recorded with the deployment")
    change = Change(ActionKind.PROMOTE, parse_version(version)[0], version, force, reason)
    _change(parts(), change, dry_run, timeout, no_wait, as_json)


@app.command()
def rollback(
    model: Model = None,
    to: Annotated[str | None, typer.Option(help="name@N; default: the last stable, loadable version.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also to a version that never earned stable; recorded. Never to a quarantined one.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why; recorded, and the quarantine says it.")] = None,
    dry_run: DryRun = False,
    timeout: Timeout = 300.0,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Go back; the version that serves now is quarantined."""
    from evergreen.cli.context import parts
    from evergreen.services.change_by_hand import Change

    if force and not (to and (reason or dry_run)):
        raise typer.BadParameter("--force needs --to and --reason: both are recorded with the deployment")
    made = parts()
    _change(made, Change(ActionKind.ROLLBACK, model or _first(made), to, force, reason), dry_run, timeout, no_wait, as_json)


def _change(made: Parts, change: Change, dry_run: bool, timeout: float, no_wait: bool, as_json: bool) -> None:
    """Record the action and watch the DAG carry it out; or show what it would do."""
    from evergreen.cli.context import whoever
    from evergreen.cli.tables import preview_text
    from evergreen.contracts.envelope import new_id

    if not dry_run:
        action = made.people.change_by_hand.ask(change, who=whoever(), key=new_id())
        follow(made, action, timeout, no_wait, as_json)
        return
    found = made.people.change_by_hand.preview(change)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        preview_text(found)


def _shown(made: Parts) -> ShowModels:
    from evergreen.services.show_models import ShowModels

    return ShowModels(made.store, made.registry, made.specs)


def _first(made: Parts) -> str:
    return next(iter(made.specs))
