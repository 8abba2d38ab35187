"""Prediction jobs on real workers, runners and Postgres: answers as the pipeline's, kill -9 at both, two workers, tables."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.bootstrap import Parts
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.model import Predictor
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.worker_processes import Workers, place_version, simulated_table, until, workers

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(300)]
SPEC = video_spec("KR")
MODEL = SPEC.name
NAMES = list(SPEC.feature_names)
PARQUET = {"content-type": "application/vnd.apache.parquet"}
SMALL_CHUNKS = {"EVERGREEN_JOBS__CHUNK_ROWS": "1000", "EVERGREEN_JOBS__LEASE_SECONDS": "3", "EVERGREEN_JOBS__POLL_SECONDS": "0.3"}


@dataclass
class Home:
    settings: Settings
    store: PostgresStore
    predictors: dict[int, Predictor]
    table: pd.DataFrame

    @property
    def jobs_dir(self) -> Path:
        return self.settings.home / "data" / "jobs"

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall()) if cursor.description else []

    def crown(self, version: int) -> None:
        self.rows(
            """INSERT INTO champions (model, version, epoch, deployment_id, since) VALUES (%s, %s, 1, gen_random_uuid(), clock_timestamp())
               ON CONFLICT (model) DO UPDATE SET version = excluded.version, epoch = champions.epoch + 1""",
            MODEL,
            version,
        )

    def frame(self, count: int, seed: int = 1) -> pd.DataFrame:
        known = self.table[NAMES].to_numpy(dtype=float, na_value=np.nan)
        frame = pd.DataFrame(known[np.random.default_rng(seed).integers(0, len(known), count)], columns=NAMES)
        frame.insert(0, "video_id", [f"v{at}" for at in range(count)])
        return frame


@pytest.fixture(scope="module")
def home(stack_settings: Settings) -> Iterator[Home]:
    table = simulated_table()
    store = emptied(PostgresStore(stack_settings.postgres.dsn.get_secret_value()))
    found = Home(stack_settings, store, {}, table)
    for version, rows in ((1, table), (2, table.tail(len(table) // 2))):
        fitted = SPEC.fit(rows, 0)
        found.predictors[version] = SPEC.predictor(fitted.estimators, fitted.card)
        place_version(stack_settings, SPEC, fitted, table, version, golden_of=fitted)
    yield found
    emptied(store).close()


@pytest.fixture
def started(home: Home) -> Iterator[Workers]:
    """Two workers with small chunks and short leases, version 1 answers."""
    home.rows("DELETE FROM jobs")
    home.crown(1)
    with workers(home.settings, environment=SMALL_CHUNKS) as found:
        until(lambda: home.rows("SELECT count(*) FROM serving_workers WHERE state = 'ready' AND pid = ANY(%s)", found.pids()) == [(2,)], 120)
        yield found


def body_of(frame: pd.DataFrame, kind: str) -> bytes:
    body = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, body) if kind == "parquet" else pacsv.write_csv(table, body)
    return body.getvalue()


def asked(found: Workers, method: str, path: str, **other: Any) -> httpx.Response:
    with found.client() as client:
        return client.request(method, path, **other)


def handed_in(found: Workers, content: Any, headers: dict[str, str] | None = None, query: str = "") -> str:
    answer = asked(found, "POST", f"/jobs/predictions{query}", content=content, headers=PARQUET if headers is None else headers)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


def shown(found: Workers, place: str) -> dict[str, Any]:
    said: dict[str, Any] = asked(found, "GET", place).json()
    return said


def ended(found: Workers, place: str, seconds: float = 120) -> dict[str, Any]:
    until(lambda: shown(found, place)["state"] not in {"queued", "running"}, seconds)
    return shown(found, place)


def result(found: Workers, place: str) -> pd.DataFrame:
    answer = asked(found, "GET", f"{place}/result")
    assert answer.status_code == 200, answer.text
    said: pd.DataFrame = pq.read_table(io.BytesIO(answer.content)).to_pandas()
    return said


def same(home: Home, frame: pd.DataFrame, said: pd.DataFrame, version: int = 1) -> None:
    assert said["video_id"].tolist() == frame["video_id"].tolist()
    assert set(said["model_version"]) == {f"{MODEL}@{version}"}
    assert said["error"].isna().all()
    np.testing.assert_allclose(said["prediction"], home.predictors[version].predict(frame), atol=1e-9, rtol=0)


def runners(found: Workers) -> list[psutil.Process]:
    own = [psutil.Process(process.pid) for process in found.processes.values() if process.poll() is None]
    return [child for process in own for child in process.children() if "evergreen.workers.job_runner" in _command(child)]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has just ended
        return []


def under_way(home: Home, found: Workers, rows: int = 2000) -> psutil.Process:
    """The runner at work, some chunks done."""
    until(lambda: home.rows("SELECT 1 FROM jobs WHERE state = 'running' AND rows_done >= %s", rows) != [], 60)
    [(name,)] = home.rows("SELECT runner FROM jobs WHERE state = 'running'")
    [runner] = [one for one in runners(found) if name in one.cmdline()]
    return runner


def test_a_job_says_what_the_pipeline_says_in_parquet_and_csv_and_workers_stay_light(home: Home, started: Workers) -> None:
    frame = home.frame(20_000)
    places = [handed_in(started, body_of(frame, "parquet")), handed_in(started, body_of(frame, "csv"), {"content-type": "text/csv"}, "?format=parquet")]
    for place in places:
        job = ended(started, place)
        assert (job["state"], job["progress"]["rows_done"], job["progress"]["rows_total"], job["kind"]) == ("succeeded", 20_000, 20_000, "score")
        same(home, frame, result(started, place))
    until(lambda: runners(started) == [], 10)
    for process in started.processes.values():
        loaded = {Path(found.path).name.partition(".")[0] for found in psutil.Process(process.pid).memory_maps()}
        assert not any("arrow" in name or "sklearn" in name for name in loaded)


@pytest.mark.parametrize("victim", ["runner", "worker"])
def test_kill_9_in_the_middle_loses_and_doubles_nothing_and_the_version_stays(home: Home, started: Workers, victim: str) -> None:
    frame = home.frame(200_000)
    place = handed_in(started, body_of(frame, "parquet"))
    runner = under_way(home, started)
    worker = next(name for name, process in started.processes.items() if process.pid == runner.ppid())
    done = home.rows("SELECT rows_done FROM jobs")[0][0]
    home.crown(2)
    os.kill(runner.pid if victim == "runner" else runner.ppid(), signal.SIGKILL)
    until(lambda: not runner.is_running() or runner.status() == psutil.STATUS_ZOMBIE, 10)  # its parent's death is its own
    if victim == "worker":
        started.processes.pop(worker).wait()
    job = ended(started, place)
    assert (job["state"], job["progress"]["rows_done"]) == ("succeeded", 200_000)
    assert home.rows("SELECT attempts, token FROM jobs") == [(2, 2)]
    logs = "".join(started.log_of(name) for name in ("serving-00", "serving-01"))
    begins = [json.loads(line) for line in logs.splitlines() if "job_begins" in line and place[6:] in line]
    [begun_with] = [said["done"] for said in begins if said["attempt"] == 2]
    assert begun_with >= done > 0  # what was finished was not done again
    same(home, frame, result(started, place), version=1)


def test_a_runner_that_slept_through_its_lease_changes_nothing(home: Home, started: Workers) -> None:
    frame = home.frame(200_000, seed=2)
    place = handed_in(started, body_of(frame, "parquet"))
    sleeper = under_way(home, started)
    sleeper.suspend()
    try:
        job = ended(started, place)
    finally:
        sleeper.resume()
    assert job["state"] == "succeeded"
    sleeper.wait(30)
    same(home, frame, result(started, place))
    assert home.rows("SELECT state, token FROM jobs") == [("succeeded", 2)]


def test_a_worker_that_ends_in_good_order_gives_its_job_back(home: Home, started: Workers) -> None:
    frame = home.frame(200_000, seed=3)
    place = handed_in(started, body_of(frame, "parquet"))
    runner = under_way(home, started)
    name = next(name for name, process in started.processes.items() if process.pid == runner.ppid())
    started.signal(name, signal.SIGTERM)
    started.processes.pop(name).wait(20)
    assert not psutil.pid_exists(runner.pid)
    assert ended(started, place)["state"] == "succeeded"
    assert home.rows("SELECT attempts FROM jobs") == [(1,)]
    same(home, frame, result(started, place))


def test_a_job_is_cancelled_in_the_middle_and_the_next_one_runs(home: Home, started: Workers) -> None:
    first, second = handed_in(started, body_of(home.frame(200_000), "parquet")), handed_in(started, body_of(home.frame(10), "parquet"))
    under_way(home, started)
    assert shown(started, second)["queue_position"] == 1
    assert asked(started, "DELETE", f"{first}").json()["state"] == "cancelled"
    assert ended(started, second)["state"] == "succeeded"
    folder = home.jobs_dir / first.rpartition("/")[2]
    until(lambda: not folder.exists(), 20)
    assert asked(started, "GET", f"{first}/result").status_code == 409


def test_one_runner_at_a_time_whatever_waits(home: Home, started: Workers) -> None:
    frame = home.frame(30_000)
    places = [handed_in(started, body_of(frame, "parquet")) for _ in range(4)]
    most = 0
    while any(shown(started, place)["state"] in {"queued", "running"} for place in places):
        most = max(most, home.rows("SELECT count(*) FROM jobs WHERE state = 'running'")[0][0])
        time.sleep(0.02)
    assert most == 1
    for place in places:
        same(home, frame, result(started, place))
    assert home.rows("SELECT DISTINCT attempts FROM jobs") == [(1,)]


def test_an_upload_that_breaks_off_leaves_nothing(home: Home, started: Workers) -> None:
    def half() -> Iterator[bytes]:
        yield b"hour\n" + b"1\n" * 100_000
        raise ConnectionResetError

    with started.client() as client, pytest.raises(ConnectionResetError):
        client.post("/jobs/predictions", content=half(), headers={"content-type": "text/csv"})
    until(lambda: not any(home.jobs_dir.joinpath(".incoming").iterdir()), 10)
    assert home.rows("SELECT 1 FROM jobs") == []


def test_a_table_is_answered_as_each_of_its_videos_would_be(home: Home, started: Workers) -> None:
    home.rows("DELETE FROM videos")
    for at in range(30):
        home.rows(
            """INSERT INTO videos (video_id, title, channel_id, category_id, published_at, region, first_seen, last_seen)
               VALUES (%s, %s, 'UC1', %s, '2025-05-24T09:00:00Z', %s, '2025-05-25', '2025-05-26')""",
            *(f"t{at:02}", f"제목 {at}", at % 3, "KR" if at < 20 else "US"),
        )
    home.rows("INSERT INTO online_features (model, entity, features, as_of) VALUES (%s, 't05', '{\"category_id\": 10, \"hour\": 3}', now())", MODEL)
    home.rows("INSERT INTO online_features (model, entity, features, as_of) VALUES (%s, 'channel:UC1', '{\"channel_videos\": 4}', now())", MODEL)
    answer = asked(started, "POST", "/jobs/predictions?format=parquet", json={"table": "videos", "region": "KR"})
    place = answer.headers["location"]
    job = ended(started, place)
    assert (job["state"], job["kind"], job["progress"]["rows_done"]) == ("succeeded", "rows", 20)
    said = result(started, place)
    assert said["video_id"].tolist() == [f"t{at:02}" for at in range(20)]
    items = [{"video_id": name} for name in said["video_id"]]
    batch = asked(started, "POST", "/predict/batch", json={"items": items}).json()
    np.testing.assert_allclose(said["prediction"], [place["prediction"]["prediction"] for place in batch["predictions"]], atol=1e-9)


def test_a_bomb_fails_its_job_and_nothing_else(home: Home, started: Workers) -> None:
    """A megabyte that would unpack to gigabytes of one title."""
    body = io.BytesIO()
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(500_000, dtype=np.int32)), pa.array(["x" * 2_000_000]))
    pq.write_table(pa.table({"title": long}), body, compression="zstd")
    place = handed_in(started, body.getvalue())
    job = ended(started, place)
    assert job["state"] == "failed", job
    assert ended(started, handed_in(started, body_of(home.frame(10), "parquet")))["state"] == "succeeded"


def test_maintenance_removes_old_results_and_strays(home: Home, started: Workers) -> None:
    place = handed_in(started, body_of(home.frame(10), "parquet"))
    ended(started, place)
    stray = home.jobs_dir / "0198e0c0-0000-7000-8000-000000000000"
    stray.mkdir()
    os.utime(stray, (0, 0))
    tidy = Parts(home.settings).jobs.tidy
    assert tidy.run() == 1
    assert shown(started, place)["state"] == "succeeded"
    home.rows("UPDATE jobs SET finished_at = finished_at - interval '8 days'")
    tidy.run()
    assert shown(started, place)["state"] == "expired"
    assert asked(started, "GET", f"{place}/result").status_code == 410
    assert not (home.jobs_dir / place.rpartition("/")[2]).exists()
