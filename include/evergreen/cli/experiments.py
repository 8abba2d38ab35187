"""`evergreen experiments`: which variant people click on more, decided while they do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from evergreen.core.experiment import Variant
    from evergreen.services.experiments import RunExperiments

app = typer.Typer(no_args_is_help=True, help="Experiments on people: start, stop, and what was found. One at a time for a model.")

Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Name = Annotated[str, typer.Argument(help="As `evergreen experiments list` shows it.")]
_NUMBERS = ("weight", "version")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Small letters, digits, - and _. Used once: it decides who is shown what.")],
    model: Annotated[str, typer.Option(help="Whose lists are compared.")],
    challenger: Annotated[
        list[str],
        typer.Option(help="NAME:WHAT=VALUE,…, for example b:diversity=0.6 or b:version=7,weight=2. Repeat it for more; NAME alone is a second control."),
    ],
    reason: Annotated[str, typer.Option("--reason", "-r", help="What it is to find out; recorded.")],
    share: Annotated[float, typer.Option(help="Of all users that take part, above 0 and at most 1.")] = 1.0,
    control_weight: Annotated[float, typer.Option(help="The control's part, beside the challengers' weights.")] = 1.0,
    window_hours: Annotated[float, typer.Option(help="For which a user is counted, from the first list he was shown.")] = 24.0,
    days: Annotated[float, typer.Option(help="After which it ends by itself.")] = 28.0,
    as_json: Json = False,
) -> None:
    """Start one. Users are divided by a hash; the monitor looks every 30 s and ends it when it is decided, broken or its time is over."""
    from evergreen.cli.context import whoever
    from evergreen.services.experiments import NewExperiment, experiment_said

    times: dict[str, float] = {"control_weight": control_weight, "window_hours": window_hours, "days": days}
    row = _service().start(NewExperiment(name, model, [_variant(one) for one in challenger], share, whoever(), reason, **times))
    _show(experiment_said(row), as_json)


@app.command("list")
def list_experiments(
    model: Annotated[str | None, typer.Option(help="Only of this model.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="The newest so many.")] = 20,
    as_json: Json = False,
) -> None:
    """The newest, each with what was found at its newest look."""
    from evergreen.services.experiments import experiment_said

    found = [experiment_said(row) for row in _service().newest(limit, model)]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for one in found:
        typer.echo(f"{one['started_time'][:16].replace('T', ' ')}  {one['status']:8}  {one['model']}  {one['name']}\n    {one['end_reason'] or one['says']}")
    if not found:
        typer.echo("no experiments")


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """One: its groups, their click-through rates with intervals, and whether one is better."""
    from evergreen.services.experiments import experiment_said

    _show(experiment_said(_service().get(name)), as_json)


@app.command()
def stop(name: Name, reason: Annotated[str, typer.Option("--reason", "-r", help="Recorded.")], as_json: Json = False) -> None:
    """End one now. What it found until now counts; everybody is shown what the champion says."""
    from evergreen.cli.context import whoever
    from evergreen.services.experiments import experiment_said

    _show(experiment_said(_service().stop(name, who=whoever(), reason=reason)), as_json)


def _service() -> RunExperiments:
    from evergreen.cli.context import parts
    from evergreen.services.experiments import RunExperiments

    here = parts()
    return RunExperiments(here.store, here.clock, here.specs)


def _variant(text: str) -> Variant:
    """`b:diversity=0.6,weight=2`. Raises BadParameter."""
    from evergreen.core.experiment import Variant

    name, _, rest = text.partition(":")
    values: dict[str, float] = {}
    for part in filter(None, rest.split(",")):
        what, _, value = part.partition("=")
        try:
            values[what.strip()] = float(value)
        except ValueError:
            raise typer.BadParameter(f"{part!r} of {text!r}: write WHAT=NUMBER, for example diversity=0.6", param_hint="--challenger") from None
    version = values.get("version")
    if version is not None and not (version.is_integer() and version > 0):
        raise typer.BadParameter(f"a version is a whole number, not {version:g}", param_hint="--challenger")
    params = {what: value for what, value in values.items() if what not in _NUMBERS}
    return Variant(name, values.get("weight", 1.0), None if version is None else int(version), params)


def _show(found: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(f"[bold]{found['name']}[/bold]  {found['model']}, {found['share']:.0%} of users, {found['status']}: {escape(found['says'])}", highlight=False)
    console.print(f"started by {escape(found['started_by'])}: {escape(found['reason'])}; until {found['until_time'][:16].replace('T', ' ')}", highlight=False)
    if found["ended_by"] is not None:
        console.print(f"ended by {escape(found['ended_by'])}: {escape(found['end_reason'])}", highlight=False)
    table = Table("variant", "shows", "planned", "users", "counted", "lists", "clicked", "CTR", "to control", "")
    for one in found["variants"]:
        table.add_row(*_cells(one))
    console.print(table)


def _cells(one: Mapping[str, Any]) -> Sequence[str]:
    version = [] if one["version"] is None else [f"@{one['version']}"]
    shows = ", ".join([*version, *(f"{name} {value:g}" for name, value in one["params"].items())]) or "the champion"
    counts = one["counts"] or dict.fromkeys(("exposed", "users", "lists", "clicks"), 0)
    numbers = [str(counts[name]) for name in ("exposed", "users", "lists", "clicks")]
    return [
        one["name"],
        shows,
        f"{one['planned']:.1%}",
        *numbers,
        _share(one["ctr"], ""),
        _share(one["relative"], "+"),
        (one["verdict"] or "").replace("_", " "),
    ]


def _share(interval: Mapping[str, float] | None, sign: str) -> str:
    if interval is None:
        return ""
    point, low, high = (format(interval[name], f"{sign}.1%") for name in ("point", "low", "high"))
    return f"{point} [{low}, {high}]"
