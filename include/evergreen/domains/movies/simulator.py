"""Users, movies and sessions made up from a seed, in the form the loaders give real ratings: tastes, popularity, and a day on which both change.

A movie belongs to one of TASTES groups, a user likes one or two of them. What a user watches is drawn from the group by popularity, so a history
tells more than popularity does. On `break_on` half as many new movies come out, what was popular is forgotten, and every user turns to other groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.domains.movies.names import AT, GENRE_NAMES, GENRES, MOVIE, RATING, TIME, TITLE, USER, YEAR

TASTES = 12
PER_TASTE = 40
"""Movies of a group before the break; half as many more after it."""
SOURCE = "simulator"
_STRAYS = 0.12
"""Share of what is watched outside one's tastes, and rated lower."""
_FORGOTTEN = 0.05
"""Of its popularity, what an old movie keeps after the break."""


@dataclass(frozen=True)
class _World:
    weights: NDArray[np.float64]
    """(groups, movies of a group): popularity, old movies first."""
    tastes: NDArray[np.float64]
    """(users, groups), rows sum to 1."""
    years: NDArray[np.int64]
    """(groups, movies of a group)."""


def simulate(first: date, last: date, *, seed: int = 7, break_on: date | None = None, users: int = 400, sessions: int = 60) -> pd.DataFrame:
    """Ratings of [first, last] with their day; `sessions` a day of about five movies each. Equal arguments give equal rows, and the days before the
    break are those of a world without one."""
    world = _world(np.random.default_rng(seed), users)
    seen: list[set[int]] = [set() for _ in range(users)]
    rows: list[tuple[Any, ...]] = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        draw = np.random.default_rng([seed, day.toordinal()])
        changed = break_on is not None and day >= break_on
        for _ in range(sessions):
            rows.extend(_session(draw, world, seen, day, changed))
    table = pd.DataFrame(rows, columns=[AT, USER, MOVIE, "rating", TITLE, GENRES, YEAR]).sort_values([AT, USER, MOVIE], kind="stable", ignore_index=True)
    at = pd.to_datetime(table[AT], utc=True).astype("datetime64[us, UTC]")
    made: dict[str, Any] = {AT: at, TIME: at.dt.tz_localize(None).dt.normalize(), "interaction": RATING, "source": SOURCE}
    return table.assign(**made)


def _world(draw: np.random.Generator, users: int) -> _World:
    size = PER_TASTE + PER_TASTE // 2
    ranks = np.array([draw.permutation(size) for _ in range(TASTES)])
    weights = 1.0 / (2.0 + ranks)
    tastes = draw.dirichlet(np.full(TASTES, 0.12), users)
    return _World(weights, tastes, 1960 + draw.integers(0, 60, (TASTES, size)))


def _session(draw: np.random.Generator, world: _World, seen: list[set[int]], day: date, changed: bool) -> Iterator[tuple[Any, ...]]:
    user = int(draw.integers(len(seen)))
    taste = np.roll(world.tastes[user], TASTES // 2) if changed else world.tastes[user]
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=float(np.clip(draw.normal(19.0, 2.5), 0.0, 23.0)))
    for number in range(3 + int(draw.poisson(2.0))):
        stray = bool(draw.random() < _STRAYS)
        group = int(draw.integers(TASTES)) if stray else int(draw.choice(TASTES, p=taste))
        place = _movie(draw, world.weights[group], changed)
        movie = 1 + group * world.weights.shape[1] + place
        if movie in seen[user]:
            continue
        seen[user].add(movie)
        rating = float(draw.choice([2.0, 3.0, 3.5, 4.0], p=[0.3, 0.3, 0.2, 0.2]) if stray else draw.choice([3.5, 4.0, 4.5, 5.0], p=[0.15, 0.35, 0.3, 0.2]))
        genres = "|".join(sorted({GENRE_NAMES[group], GENRE_NAMES[(group + 1 + place % 3) % len(GENRE_NAMES)]}))
        yield at + timedelta(minutes=2 * number), f"u{user:04d}", str(movie), rating, f"Movie {movie}", genres, float(world.years[group, place])


def _movie(draw: np.random.Generator, weights: NDArray[np.float64], changed: bool) -> int:
    known = np.where(np.arange(len(weights)) < PER_TASTE, _FORGOTTEN if changed else 1.0, float(changed)) * weights
    return int(draw.choice(len(weights), p=known / known.sum()))
