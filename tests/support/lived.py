"""A whole stack that has played the demo's story, still running: what a person finds who comes in the next morning."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from evergreen.core.access import Role
from evergreen.domains.movies.simulator import simulate
from evergreen.settings import Settings, load_settings
from tests.support.tokens import bearer

SIMULATED = date(2025, 5, 1), date(2025, 9, 8)


def lists() -> list[str]:
    """Real lists where they are; without them the simulator plays."""
    folder = load_settings().test_data / "youtube"
    return ["--data", str(folder)] if folder.is_dir() else []


def ratings(into: Path) -> Path:
    """A MovieLens folder: the real one where it is; else one written `into` the given place, of simulated users in the days of the story."""
    folder = load_settings().test_data / "movielens" / "ml-latest-small"
    if folder.is_dir():
        return folder
    rows = simulate(*SIMULATED)
    into.mkdir()
    rows.assign(timestamp=rows["at"].map(lambda at: int(at.timestamp()))).rename(columns={"user_id": "userId", "movie_id": "movieId"})[
        ["userId", "movieId", "rating", "timestamp"]
    ].to_csv(into / "ratings.csv", index=False)
    movies = rows.drop_duplicates("movie_id").rename(columns={"movie_id": "movieId"})
    movies.assign(title=movies["title"] + " (" + movies["year"].astype(int).astype(str) + ")")[["movieId", "title", "genres"]].to_csv(
        into / "movies.csv", index=False
    )
    return into


@dataclass(frozen=True)
class Lived:
    home: Path
    told: dict[str, Any]
    """demo.json"""

    @cached_property
    def settings(self) -> Settings:
        return load_settings(self.home)

    @property
    def url(self) -> str:
        """Of the dashboard."""
        return f"http://{self.settings.dashboard.host}:{self.settings.dashboard.port}"

    @property
    def serving(self) -> str:
        return self.settings.serving.url

    @property
    def accounts(self) -> dict[str, str]:
        """Name -> password."""
        found: dict[str, str] = json.loads((self.home / "credentials.json").read_text())["serving_accounts"]
        return found

    @property
    def pictures(self) -> Path:
        """Where screenshots go: kept with the run's other files."""
        folder = self.home.parent / "pictures"
        folder.mkdir(exist_ok=True)
        return folder

    def headers(self, *roles: Role) -> dict[str, str]:
        return bearer(self.settings, *roles)

    def command(self, *words: str, seconds: float = 600) -> str:
        """What `evergreen` prints; it must not fail."""
        done = subprocess.run(evergreen(self.home, *words), capture_output=True, text=True, timeout=seconds, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        import psycopg2

        connection = psycopg2.connect(self.settings.postgres.dsn.get_secret_value())
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, values)
                return cursor.fetchall()
        finally:
            connection.close()


def evergreen(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "evergreen.cli.main", "--home", str(home), *words]


@contextmanager
def played(home: Path) -> Iterator[Lived]:
    """The story from nothing, and its stack until the block ends."""
    with (home / "demo.out").open("w") as out:
        done = subprocess.run(evergreen(home, "demo", *lists()), stdout=out, stderr=subprocess.STDOUT, check=False)
    try:
        text = (home / "demo.out").read_text()
        print(text)  # noqa: T201 - the figures belong into the test's report
        assert done.returncode == 0, text[-4000:]
        yield Lived(home, json.loads((home / "demo.json").read_text()))
    finally:
        subprocess.run(evergreen(home, "down"), check=False)
