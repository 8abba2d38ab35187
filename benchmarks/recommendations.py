"""Lists of recommendations over HTTP at 200 requests a second: `python -m benchmarks.recommendations [--users N] [--seconds S]`.

A fitted version of 10,000 movies, promoted by the real protocol; 100,000 users with profiles in Redis, half of them with a list. `stored`: users with
one, drawn at random. `computed`: users without, each asked once, so each list is made. Every answer must say which it is."""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from redis import Redis

from benchmarks.access import token
from benchmarks.load import Load, Outcome, measured
from benchmarks.rows import EVERGREEN, Row
from evergreen.adapters import artifacts
from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.adapters.redis_profiles import key
from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import WallClock, wall_now
from evergreen.core.recommending import MODEL, Did, effect_of
from evergreen.domains.movies.spec import movie_spec
from evergreen.local_stack.testing import stack
from evergreen.ports.model import FittedModel
from evergreen.ports.versions import VersionRow
from evergreen.services.carry_out import CarryOut
from evergreen.services.champion_projection import ChampionProjection
from evergreen.services.deploy import Deploy
from evergreen.services.promote import Promote
from evergreen.settings import Settings
from tests.support.claims import claimed
from tests.support.worker_processes import Workers, until, workers

MOVIES, USERS, LIKES = 10_000, 100_000, 20
RATE, CLIENTS = 200.0, 16
ROUNDS, SECONDS = 3, 5.0
SEED = 11
GENRES = ("Action", "Comedy", "Crime", "Documentary", "Drama", "Horror", "Romance", "Sci-Fi", "Thriller", "War")
_AT_ONCE = 2_000


def liked(draw: np.random.Generator, count: int) -> Any:
    """Movies, some far more often than others."""
    return np.minimum((MOVIES * draw.random(count) ** 2.5).astype(np.int64), MOVIES - 1)


def genres(movie: int) -> tuple[str, str]:
    return GENRES[movie % len(GENRES)], GENRES[(movie // 7) % len(GENRES)]


def fitted() -> FittedModel:
    """Of 300,000 likes of 15,000 users."""
    draw = np.random.default_rng(SEED)
    movie = np.concatenate([np.arange(MOVIES), liked(draw, 300_000)])
    day = pd.Timestamp("2026-01-01") + pd.to_timedelta(draw.integers(0, 300, len(movie)), unit="D")
    table = pd.DataFrame(
        {
            "user_id": draw.integers(0, 15_000, len(movie)).astype(str),
            "movie_id": movie.astype(float),
            "relevant": 1.0,
            "day": day,
            "title": [f"Movie {one}" for one in movie],
            "genres": ["|".join(genres(one)) for one in movie],
            "year": 1950.0 + movie % 75,
        }
    )
    return movie_spec().fit(table.drop_duplicates(["user_id", "movie_id"]), SEED)


def fill(redis: Redis, users: int) -> None:
    """As the recommender worker leaves it."""
    draw, now = np.random.default_rng(SEED + 1), wall_now()
    for first in range(0, users, _AT_ONCE):
        pipe = redis.pipeline(transaction=False)
        for number in range(first, min(first + _AT_ONCE, users)):
            _user(pipe, number, [str(one) for one in dict.fromkeys(liked(draw, LIKES).tolist())], now - timedelta(minutes=number % 10_000))
        pipe.execute()
    redis.set("rec:whole", 1)


def _user(pipe: Any, number: int, movies: list[str], at: datetime) -> None:
    user, effect = f"u{number}", effect_of(Did(f"e{number}", at, "like", movies, None, {one: genres(int(one)) for one in movies}))
    sums = {f"g:{genre}": repr(amount) for genre, amount in effect.genres.items()}
    pipe.hset(key("profile", user), mapping={"n": 1, "at:interactions:0": f"t:{number}", **sums})
    pipe.zadd(key("history", user), dict(effect.history))
    pipe.zadd(key("owned", user), {one: at.timestamp() for one in movies[:3]})
    if number % 2:
        items = [{"item_id": str(one), "title": f"Movie {one}", "score": 0.5, "reason": f"because you watched Movie {movies[0]}"} for one in range(20)]
        about = {"user_id": user, "as_of": f"interactions:0:{number}", "version": f"{MODEL}@1", "made": at.isoformat()}
        pipe.hset(key("list", user), mapping={"n": 1, "body": json.dumps({**about, "items": items})})


class Bench:
    def __init__(self, settings: Settings, served: Workers, folder: Path, users: int) -> None:
        self._settings, self._served, self._folder, self._users = settings, served, folder, users
        self._headers = token(settings)

    def place(self) -> None:
        """Version 1, promoted once a worker is there."""
        settings, store, clock = self._settings, PostgresStore(self._settings.postgres.dsn.get_secret_value()), WallClock()
        signing = artifacts.signing_key(settings.signing_key.get_secret_value())
        artifacts.save(settings.home / "data" / "models" / MODEL / "1", fitted(), identity=f"{MODEL}@1", key=signing)
        now = datetime(2026, 11, 1, tzinfo=UTC)
        row = VersionRow(MODEL, 1, None, "run-1", "", "benchmark", now.date() - timedelta(days=300), now.date(), MOVIES, now, "approved")
        with store.transaction() as tx:
            tx.versions.insert(row)
        until(lambda: self._served.answers() != set(), 60)
        projection = ChampionProjection(store, MemoryRegistry(settings.home), [MODEL])
        deploy = Deploy(store, clock, CarryOut(store, clock), projection, min_confirmations=1, confirm_seconds=120)
        Promote(deploy).run(claimed(store, clock, ActionKind.PROMOTE, {"forced": True, "reason": "benchmark"}, model=MODEL, target=f"{MODEL}@1"))
        store.close()

    def turn(self, kind: str, users: Iterator[int], seconds: float) -> Outcome:
        """Raises RuntimeError for an answer that is not of that kind."""
        file = self._folder / f"{kind}.paths"
        file.write_text("\n".join(f"/u{next(users)}?k=20" for _ in range(int(RATE * seconds) + CLIENTS)))
        port = self._served.listener.getsockname()[1]
        wanted = Load(
            port=port,
            path="/recommendations",
            bodies=str(file),
            connections=CLIENTS,
            seconds=seconds,
            rate=RATE,
            headers=self._headers,
            must_hold=f'"origin":"{kind}"',
            method="GET",
        )
        found = measured(wanted)
        if found.failed:
            raise RuntimeError(f"{kind}: {dict(found.errors)}, such as {found.sample!r}")
        return found


def rows(users: int = USERS, rounds: int = ROUNDS, seconds: float = SECONDS) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="eg-lists-") as folder, stack({"postgres", "kafka", "redis"}) as settings:
        with Redis.from_url(settings.redis.url.get_secret_value()) as redis:
            fill(redis, users)
        with workers(settings, ("serving-00",)) as served:
            bench = Bench(settings, served, Path(folder), users)
            bench.place()
            chance = random.Random(SEED)
            asked = {"stored": iter(lambda: chance.randrange(users // 2) * 2 + 1, -1), "computed": iter(range(0, users, 2))}
            for kind, who in asked.items():
                bench.turn(kind, who, 1.0)  # warms up
            turns: dict[str, list[Outcome]] = {kind: [] for kind in asked}
            for _ in range(rounds):
                for kind, who in asked.items():
                    turns[kind].append(bench.turn(kind, who, seconds))
    return [row for kind, found in turns.items() for row in _rows(kind, found)]


def _rows(kind: str, turns: list[Outcome]) -> Iterator[Row]:
    figures = {
        "ms p99": [one.p99_ms for one in turns],
        "ms p95": [one.p95_ms for one in turns],
        "ms p50": [one.p50_ms for one in turns],
        "req/s": [one.per_second for one in turns],
    }
    for unit, values in figures.items():
        yield Row("recommendations", f"{EVERGREEN}, {kind}", CLIENTS, 1, float(np.median(values)), unit)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--users", type=int, default=USERS)
    arguments.add_argument("--seconds", type=float, default=SECONDS, help="of a round")
    given = arguments.parse_args()
    for row in rows(given.users, seconds=given.seconds):
        sys.stdout.write(f"{row.system:24} {row.value:10.2f} {row.unit}\n")


if __name__ == "__main__":
    main()
