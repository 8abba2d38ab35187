"""`evergreen load movies` and `evergreen movies`: a MovieLens folder into the loop, and how good lists made of it are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evergreen.cli.data import BatchDays, First, Json, Last, load_app
from evergreen.cli.loading import TIMEOUT, NoWait, Timeout, load
from evergreen.core.clock import wall_now
from evergreen.core.errors import EvergreenError

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.domains.movies.offline import Figures
    from evergreen.services.replay import Batch

movies_app = typer.Typer(no_args_is_help=True, help="The movie recommender, without a stack.")
_SIMULATED = (date(2025, 1, 1), date(2025, 3, 31))


def register(app: typer.Typer) -> None:
    load_app.command("movies")(load_movies)
    app.add_typer(movies_app, name="movies")


def load_movies(
    path: Path,
    first: First = None,
    last: Last = None,
    batch_days: BatchDays = 730,
    timeout: Timeout = TIMEOUT,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Take in the ratings of a MovieLens folder (ratings.csv with movies.csv, or u.data with u.item). Loading the same again changes nothing."""
    from evergreen.cli.context import parts
    from evergreen.cli.row_batches import already_released
    from evergreen.domains.movies.names import DATASET

    made = parts()
    batches = already_released(movie_batches(path, first, last, batch_days), made.clock.now(), say=partial(typer.echo, err=True))
    load(made, DATASET, batches, timeout=timeout, no_wait=no_wait, as_json=as_json)


def movie_batches(path: Path, first: datetime | None, last: datetime | None, batch_days: int) -> Sequence[Batch]:
    """Raises DataRejected, or EvergreenError when nothing is left."""
    from evergreen.domains.movies.loaders import load_ratings

    return _batches(load_ratings(path), str(path), first.date() if first else None, last.date() if last else None, batch_days)


def simulated_batches(first: date, last: date, seed: int, break_on: date | None, batch_days: int) -> Sequence[Batch]:
    from evergreen.domains.movies.simulator import simulate

    return _batches(simulate(first, last, seed=seed, break_on=break_on), "the simulator", first, last, batch_days)


def _batches(rows: pd.DataFrame, source: str, first: date | None, last: date | None, batch_days: int) -> Sequence[Batch]:
    from evergreen.cli.row_batches import cut_days

    made = cut_days(rows, first=first, last=last, batch_days=batch_days, today=wall_now().date())
    if not made:
        raise EvergreenError(f"{source} holds no rating in {first or 'the beginning'}…{last or 'today'}")
    return made


@movies_app.command("evaluate")
def evaluate(
    path: Annotated[Path | None, typer.Argument(help="A MovieLens folder; default: simulated ratings.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per split.")] = False,
) -> None:
    """Train on the first 80 % and rank every movie for what users chose in the rest: of each user's own ratings, and of all after one moment."""
    from evergreen.domains.movies.offline import RECALL_AT, by_time, compared, per_user
    from evergreen.services.offline_lists import as_served

    table = _table(path)
    for split in (per_user(table), by_time(table)):
        _show(split.name, compared(split, served=partial(as_served, k=RECALL_AT)), as_json)


def _table(path: Path | None) -> pd.DataFrame:
    from evergreen.domains.movies.dataset import movie_dataset
    from evergreen.domains.movies.features import build_features
    from evergreen.domains.movies.loaders import load_ratings
    from evergreen.domains.movies.simulator import simulate

    if path is None:
        typer.echo("no folder given: simulated ratings", err=True)
    rows = simulate(*_SIMULATED) if path is None else load_ratings(path)
    return build_features(movie_dataset().validate(rows, wall_now().date()).clean)


def _show(split: str, measured: Mapping[str, Figures], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"split": split, **{name: asdict(figures) for name, figures in measured.items()}}))
        return
    for name, one in measured.items():
        figures = f"recall@20 {one.recall_at_20:.4f}  ndcg@10 {one.ndcg_at_10:.4f}  different items {one.different_items:4}  novelty {one.novelty:.2f}"
        typer.echo(f"{split:8}  {name:17}  {figures}  users {one.users}")
