"""`evergreen load`, `replay-data` and `simulate`: real folders or simulated days into the loop, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evergreen.cli.batches import cut, read_lists, released, with_the_rest
from evergreen.cli.loading import TIMEOUT, NoWait, Timeout, fail_over_unreadable, load, say_batch
from evergreen.cli.playing import replay, replay_movies, replay_rows
from evergreen.core.clock import wall_now
from evergreen.core.errors import EvergreenError
from evergreen.core.release import released_at
from evergreen.domains.movies.names import MODEL as MOVIES

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts
    from evergreen.domains.tabular.declared import Declared
    from evergreen.services.replay import Batch, Replay

Region = Annotated[str | None, typer.Option(help="Two-letter region; default: the region the stack is set to.")]
First = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First list day.")]
Last = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last list day.")]
BatchDays = Annotated[int, typer.Option(min=1, help="List days per batch.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per batch.")]
load_app = typer.Typer(no_args_is_help=True, help="Take in a folder's or file's days, without moving the clock.")


def register(app: typer.Typer) -> None:
    app.add_typer(load_app, name="load")
    app.command("replay-data")(replay_data)
    app.command("simulate")(simulate_days)


@load_app.command("videos")
def load_videos(
    path: Path,
    region: Region = None,
    first: First = None,
    last: Last = None,
    batch_days: BatchDays = 7,
    timeout: Timeout = TIMEOUT,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Take in video lists (Parquet, CSV, JSON; a file or a folder) of released days. Loading the same again changes nothing."""
    from evergreen.cli.context import parts

    made = parts()
    region = fed_region(made, region)
    batches = released(read_batches(path, region, first, last, batch_days), made.clock.now(), say=partial(typer.echo, err=True))
    load(made, f"videos.{region}", batches, timeout=timeout, no_wait=no_wait, as_json=as_json)


@load_app.command("rows")
def load_rows(
    model: str,
    path: Path,
    first: First = None,
    last: Last = None,
    batch_days: BatchDays = 7,
    timeout: Timeout = TIMEOUT,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Take in the released rows of a model of your own (CSV or Parquet; a file or a folder). Loading the same again changes nothing."""
    from evergreen.cli.context import parts
    from evergreen.cli.row_batches import already_released

    made = parts()
    declared = made.declared(model)
    batches = already_released(_rows_of(declared, path, first, last, batch_days), made.clock.now(), say=partial(typer.echo, err=True))
    load(made, declared.dataset, batches, timeout=timeout, no_wait=no_wait, as_json=as_json)


def _rows_of(declared: Declared, path: Path, first: datetime | None, last: datetime | None, batch_days: int) -> Sequence[Batch]:
    from evergreen.cli.row_batches import row_batches

    ends = {"first": first.date() if first else None, "last": last.date() if last else None}
    return row_batches(path, declared, **ends, batch_days=batch_days, today=wall_now().date(), say=partial(typer.echo, err=True))


def replay_data(
    path: Path,
    region: Region = None,
    model: Annotated[str | None, typer.Option(help="`movie_recommender` (a MovieLens folder) or a model of your own; default: video lists.")] = None,
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
    from evergreen.cli.movies import movie_batches

    made = parts()
    if model == MOVIES:
        _play(made, replay_movies(made, app=app_calls), movie_batches(path, first, last, batch_days), pace, as_json)
        return
    if model is not None:
        declared = made.declared(model)
        batches = _rows_of(declared, path, first, last, batch_days)
        _play(made, replay_rows(made, declared, app=app_calls), batches, pace, as_json)
    else:
        region = fed_region(made, region)
        batches = read_batches(path, region, first, last, batch_days, anchor)
        _play(made, replay(made, region, app=app_calls), batches, pace, as_json)
    fail_over_unreadable(batches)


def simulate_days(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First list day.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last list day.")],
    region: Region = None,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal days.")] = 7,
    break_on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day the world changes for good.")] = None,
    batch_days: BatchDays = 1,
    model: Annotated[str | None, typer.Option(help="`movie_recommender`: users who rate movies; default: video lists.")] = None,
    pace: Annotated[float, typer.Option(min=0, help="Seconds a batch lasts at least.")] = 0.0,
    app_calls: Annotated[bool, typer.Option("--app/--no-app", help="Ask for predictions and tell the true counts.")] = True,
    as_json: Json = False,
) -> None:
    """Play simulated days (seeded, same schema as real ones) through the loop on the replay clock."""
    from evergreen.cli.context import parts
    from evergreen.cli.movies import simulated_batches
    from evergreen.domains.videos.simulator import simulate

    made = parts()
    if last < first:
        raise EvergreenError(f"the last day {last.date()} lies before the first {first.date()}")
    changes = break_on.date() if break_on else None
    if model is not None:
        if model != MOVIES:
            raise EvergreenError(f"nothing simulates {model}: leave --model out for video lists, or name {MOVIES}")
        _play(made, replay_movies(made, app=app_calls), simulated_batches(first.date(), last.date(), seed, changes, batch_days), pace, as_json)
        return
    region = fed_region(made, region)
    rows = simulate(first.date(), last.date(), seed=seed, region=region, break_on=changes)
    batches = cut(rows, first.date(), last.date(), batch_days)
    _play(made, replay(made, region, app=app_calls), batches, pace, as_json)


def fed_region(made: Parts, region: str | None) -> str:
    """The region a command works on. Raises EvergreenError where the stack takes in another one's lists."""
    wanted = region or made.settings.videos.region
    if f"videos.{wanted}" not in made.datasets:
        raise EvergreenError(
            f"this stack takes in {', '.join(made.datasets)}, not videos.{wanted}: start another with "
            f"`EVERGREEN_VIDEOS__REGION={wanted} evergreen --home FOLDER up`, or leave --region out"
        )
    return wanted


def read_batches(path: Path, region: str, first: datetime | None, last: datetime | None, batch_days: int, anchor: datetime | None = None) -> list[Batch]:
    """The folder's days cut into batches; days without a list are in none. Raises DataRejected, or EvergreenError when nothing is left."""
    ends = {"first": first.date() if first else None, "last": last.date() if last else None}
    lists = read_lists(path, region, **ends, today=wall_now().date(), say=partial(typer.echo, err=True))
    days = lists.rows["list_date"]
    low, high = ends["first"] or days.min().date(), ends["last"] or days.max().date()
    return with_the_rest(cut(lists.rows, low, high, batch_days, anchor.date() if anchor else None), lists)


def _play(made: Parts, played: AbstractContextManager[Replay], batches: Sequence[Batch], pace: float, as_json: bool) -> None:
    from evergreen.adapters.postgres.chronicle import PostgresChronicle

    newest = PostgresChronicle(made.store).newest_data()
    if newest is not None and batches and released_at(batches[0].first_day) < newest:
        raise EvergreenError(
            f"the first day {batches[0].first_day} lies before data this home has already seen (until {newest:%Y-%m-%d}); "
            "replay later days, or use another home (`evergreen --home FOLDER up`)"
        )
    with played as driver:
        for number, batch in enumerate(driver.play(batches, pace), 1):
            say_batch(batch, as_json, f"digested ({number} of {len(batches)})")
