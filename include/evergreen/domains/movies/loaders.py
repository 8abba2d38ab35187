"""A MovieLens folder as rows of interactions: `ratings.csv` with `movies.csv` (latest, 20M, 25M, 32M) or `u.data` with `u.item` (100K).

Guarantee: every line of the ratings is a row, its cells as they are: what cannot be read is set aside with a reason when the batch is taken in.
Failure: a file that is missing, empty or of another form raises DataRejected naming it and the cause. Remedy: give the folder that was
downloaded, unpacked."""

from __future__ import annotations

from csv import QUOTE_NONE
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evergreen.core.errors import DataRejected
from evergreen.domains.movies.names import AT, GENRES, MOVIE, TIME, TITLE, USER, YEAR
from evergreen.domains.movies.quality import texts, times

SOURCE = "movielens"
MAX_BYTES = 1024 * 2**20
"""Of the ratings: as text in memory they take six times as much."""
_NO_GENRES = "(no genres listed)"
_U_GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama", "Fantasy"),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)


@dataclass(frozen=True)
class _Form:
    ratings: str
    movies: str
    separator: str
    """Of the ratings."""
    columns: tuple[str, ...] | None
    """Of the ratings; None: the first line names them."""


_CSV = _Form("ratings.csv", "movies.csv", ",", None)
_TAB = _Form("u.data", "u.item", "\t", ("userId", "movieId", "rating", "timestamp"))
_NAMES = {"userId": USER, "movieId": MOVIE, "rating": "rating", "timestamp": AT}


def load_ratings(path: Path) -> pd.DataFrame:
    """Every rating with its movie's title, genres and year, and its day (NaT where the time cannot be read), in the order of their times."""
    form = _form_of(path)
    ratings, movies = _ratings(path / form.ratings, form), _movies(path / form.movies, form)
    rows = ratings.merge(movies, on=MOVIE, how="left").assign(interaction="rating", source=SOURCE)
    at = times(rows[AT])
    rows = rows.assign(**{TIME: at.dt.tz_localize(None).dt.normalize()}).iloc[at.argsort(kind="stable").to_numpy()]
    return pd.concat([rows[rows[TIME].notna()], rows[rows[TIME].isna()]], ignore_index=True)


def _form_of(path: Path) -> _Form:
    if not path.is_dir():
        raise DataRejected(f"{path}: no such folder: give the unpacked MovieLens folder")
    for form in (_CSV, _TAB):
        if (path / form.ratings).is_file():
            if not (path / form.movies).is_file():
                raise DataRejected(f"{path}: holds {form.ratings} but no {form.movies}")
            return form
    below = [found.parent for form in (_CSV, _TAB) for found in sorted(path.glob(f"*/{form.ratings}"))]
    hint = f"; {below[0]} does" if below else ""
    raise DataRejected(f"{path}: holds neither {_CSV.ratings} nor {_TAB.ratings}{hint}")


def _ratings(file: Path, form: _Form) -> pd.DataFrame:
    if file.stat().st_size > MAX_BYTES:
        raise DataRejected(f"{file.name}: {file.stat().st_size / 2**20:.0f} MiB, at most {MAX_BYTES // 2**20} are read at once")
    rows = _read(file, sep=form.separator, names=form.columns, encoding="utf-8")
    if missing := [name for name in _NAMES if name not in rows.columns]:
        raise DataRejected(f"{file.name}: has no column {', '.join(missing)}; it has {', '.join(map(str, rows.columns[:8]))}")
    if rows.empty:
        raise DataRejected(f"{file.name}: holds no rating")
    ratings = rows[list(_NAMES)].rename(columns=_NAMES)
    return ratings.assign(**{name: texts(ratings[name]) for name in (USER, MOVIE)})


def _movies(file: Path, form: _Form) -> pd.DataFrame:
    if form is _CSV:
        rows = _read(file, sep=",", names=None, encoding="utf-8")
        if missing := [name for name in ("movieId", "title", "genres") if name not in rows.columns]:
            raise DataRejected(f"{file.name}: has no column {', '.join(missing)}; it has {', '.join(map(str, rows.columns[:8]))}")
        genres = rows["genres"].where(rows["genres"] != _NO_GENRES)
    else:
        columns = ("movieId", "title", "released", "video", "url", *_U_GENRES)
        rows = _read(file, sep="|", names=columns, encoding="latin-1")
        marks = rows[list(_U_GENRES[1:])] == "1"
        named = ["|".join(name for name, is_marked in zip(_U_GENRES[1:], row, strict=True) if is_marked) for row in marks.to_numpy().tolist()]
        genres = pd.Series(named, index=rows.index, dtype="str").replace("", None)
    title = rows["title"].str.strip()
    parted = title.str.extract(r"^(?P<title>.*?)\s*\((?P<year>\d{4})(?:[-–]\d{0,4})?\)$")
    made = {MOVIE: texts(rows["movieId"]), TITLE: parted["title"].fillna(title), GENRES: genres, YEAR: pd.to_numeric(parted["year"]).astype("float64")}
    return pd.DataFrame(made).drop_duplicates(MOVIE)


def _read(file: Path, *, sep: str, names: tuple[str, ...] | None, encoding: str) -> pd.DataFrame:
    how: dict[str, Any] = {"sep": sep, "names": names, "header": 0 if names is None else None, "encoding": encoding}
    if sep != ",":
        how["quoting"] = QUOTE_NONE
    try:
        rows: pd.DataFrame = pd.read_csv(file, dtype="str", keep_default_na=False, **how)
        return rows
    except UnicodeDecodeError as error:
        raise DataRejected(f"{file.name}: is not {encoding}") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OSError) as error:
        raise DataRejected(f"{file.name}: cannot be read: {str(error).strip()[:200]}") from error
