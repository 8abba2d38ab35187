"""`evergreen load`, `replay-data` and `simulate`: real folders or simulated days into the loop, batch by batch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evergreen.cli.playing import announcer, replay
from evergreen.core.errors import EvergreenError
from evergreen.core.release import last_released_day, released_at, week_batches

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.bootstrap import Parts
    from evergreen.services.replay import Batch

Region = Annotated[str | None, typer.Option(help="Two-letter region; default: the region the stack is set to.")]
First = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First list day.")]
Last = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last list day.")]
BatchDays = Annotated[int, typer.Option(min=1, help="List days per batch.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per batch.")]
load_app = typer.Typer(no_args_is_help=True, help="Announce a folder's or file's days, without moving the clock.")


def register(app: typer.Typer) -> None:
    app.add_typer(load_app, name="load")
    app.command("replay-data")(replay_data)
    app.command("simulate")(simulate_days)


@load_app.command("videos")
def load_videos(path: Path, region: Region = None, first: First = None, last: Last = None, batch_days: BatchDays = 7, as_json: Json = False) -> None:
    """Announce video lists (Parquet, CSV, JSON; a file or a folder) of released days. Loading the same again changes nothing."""
    from evergreen.cli.context import parts

    made = parts()
    region = fed_region(made, region)
    for batch in released(read_batches(made, path, region, first, last, batch_days), made.clock.now()):
        event = announcer(made).run(f"videos.{region}", batch.rows, batch.first_day, batch.last_day)
        _say(batch, as_json, f"announced as {event.data['batch_id']}", batch_id=event.data["batch_id"])
    if not as_json:
        typer.echo("Airflow's DAG `ingest` takes them in; see `evergreen events tail` and the Airflow UI.")


def replay_data(
    path: Path,
    region: Region = None,
    first: First = None,
    last: Last = None,
    batch_days: BatchDays = 1,
    anchor: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day some batch begins on.")] = None,
    pace: Annotated[float, typer.Option(min=0, help="Seconds a batch lasts at least; 0 is as fast as the loop.")] = 0.0,
    app_calls: Annotated[bool, typer.Option("--app/--no-app", help="Ask for predictions and tell the true counts, as an application does.")] = True,
    as_json: Json = False,
) -> None:
    """Play recorded days through the loop on the replay clock; the clock stays in replay mode until `evergreen clock wall`."""
    from evergreen.cli.context import parts

    made = parts()
    region = fed_region(made, region)
    batches = read_batches(made, path, region, first, last, batch_days, anchor)
    _play(made, region, batches, pace, app_calls, as_json)


def simulate_days(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First list day.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last list day.")],
    region: Region = None,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal days.")] = 7,
    break_on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day the mix of the lists changes for good.")] = None,
    batch_days: BatchDays = 1,
    pace: Annotated[float, typer.Option(min=0, help="Seconds a batch lasts at least.")] = 0.0,
    app_calls: Annotated[bool, typer.Option("--app/--no-app", help="Ask for predictions and tell the true counts.")] = True,
    as_json: Json = False,
) -> None:
    """Play simulated days (seeded, same schema as real ones) through the loop on the replay clock."""
    from evergreen.cli.context import parts
    from evergreen.domains.videos.simulator import simulate

    made = parts()
    region = fed_region(made, region)
    rows = simulate(first.date(), last.date(), seed=seed, break_on=break_on.date() if break_on else None)
    batches = cut(rows, first.date(), last.date(), batch_days)
    _play(made, region, batches, pace, app_calls, as_json)


def fed_region(made: Parts, region: str | None) -> str:
    """The region a command works on. Raises EvergreenError where the stack takes in another one's lists."""
    wanted = region or made.settings.videos.region
    if f"videos.{wanted}" not in made.datasets:
        raise EvergreenError(
            f"this stack takes in {', '.join(made.datasets)}, not videos.{wanted}: start another with "
            f"`EVERGREEN_VIDEOS__REGION={wanted} evergreen --home FOLDER up`, or leave --region out"
        )
    return wanted


def read_batches(
    made: Parts, path: Path, region: str, first: datetime | None, last: datetime | None, batch_days: int, anchor: datetime | None = None
) -> list[Batch]:
    """The folder's days cut into batches; days without a list are in none. Raises DataRejected, or EvergreenError when nothing is left."""
    from evergreen.domains.videos.loaders import load_lists

    rows = load_lists(path, region)
    days = rows["list_date"].dropna()
    if days.empty:
        raise EvergreenError(f"{path} holds no list of region {region}")
    low = first.date() if first else days.min().date()
    high = last.date() if last else days.max().date()
    batches = cut(rows, low, high, batch_days, anchor.date() if anchor else None)
    if not batches:
        raise EvergreenError(f"{path} holds no list of region {region} in {low}…{high}; it has {days.min().date()}…{days.max().date()}")
    return batches


def released(batches: Sequence[Batch], now: datetime) -> list[Batch]:
    """Without the days that are not released yet: ingest would set their rows aside, and the same batch announced later is a repeat.
    Raises EvergreenError when nothing is left."""
    newest = last_released_day(now)
    known: list[Batch] = []
    for batch in batches:
        if batch.last_day <= newest:
            known.append(batch)
        elif batch.first_day <= newest:
            known += cut(batch.rows, batch.first_day, newest, (newest - batch.first_day).days + 1)
    early = next((batch.first_day for batch in batches if batch.last_day > newest), None)
    if early is not None:
        day = max(newest + timedelta(days=1), early)
        why = f"the lists of {day} and later are left out: that day's is released at {released_at(day):%Y-%m-%dT%H:%MZ}, load it then"
        if not known:
            raise EvergreenError(why)
        typer.echo(f"warning: {why}", err=True)
    return known


def cut(rows: pd.DataFrame, first: date, last: date, batch_days: int, anchor: date | None = None) -> list[Batch]:
    """Rows of [first, last] in batches of `batch_days` list days; empty ones are left out."""
    import pandas as pd

    from evergreen.services.replay import Batch

    made = []
    for low, high in week_batches(first, last, anchor or first, batch_days):
        within = rows[(rows["list_date"] >= pd.Timestamp(low)) & (rows["list_date"] < pd.Timestamp(high + timedelta(days=1)))]
        if len(within):
            made.append(Batch(low, high, within.reset_index(drop=True)))
    return made


def _play(made: Parts, region: str, batches: Sequence[Batch], pace: float, app_calls: bool, as_json: bool) -> None:
    from evergreen.adapters.postgres.chronicle import PostgresChronicle

    newest = PostgresChronicle(made.store).newest_data()
    if newest is not None and batches and released_at(batches[0].first_day) < newest:
        raise EvergreenError(
            f"the first day {batches[0].first_day} lies before data this home has already seen (until {newest:%Y-%m-%d}); "
            "replay later days, or use another home (`evergreen --home FOLDER up`)"
        )
    with replay(made, region, app=app_calls) as driver:
        for number, batch in enumerate(driver.play(batches, pace), 1):
            _say(batch, as_json, f"digested ({number} of {len(batches)})")


def _say(batch: Batch, as_json: bool, said: str, **more: Any) -> None:
    if as_json:
        typer.echo(json.dumps({"first_day": str(batch.first_day), "last_day": str(batch.last_day), "rows": len(batch.rows), **more}))
    else:
        typer.echo(f"{batch.first_day}…{batch.last_day}  {len(batch.rows):6} rows  {said}")
