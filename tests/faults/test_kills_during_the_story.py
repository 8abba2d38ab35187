"""kill -9 of every process, one after the other, while the story plays: it still ends, nothing is lost, nothing is done twice.

A drill of its own (`make drills`), beside the tests: it takes as long as a slow demo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import psycopg2.extensions
import pytest

from evergreen.settings import load_settings

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(2400)]
PAUSE_SECONDS = 12.0
"""Between two kills: less than the stack needs to notice, so that some overlap."""
PARTS = (
    "intake",
    "airflow-scheduler",
    "serving",
    "indexer",
    "recommender",
    "postgres",
    "airflow-triggerer",
    "redis",
    "kafka",
    "airflow-dag-processor",
    "mlflow",
    "airflow-api",
)


def evergreen(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "evergreen.cli.main", "--home", str(home), *arguments]


def pid_of(home: Path, part: str) -> int | None:
    done = subprocess.run(evergreen(home, "status", "--json"), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    found = json.loads(done.stdout)["services"].get(part, {})
    pid = found["workers"][0]["pid"] if found.get("workers") else found.get("pid")
    return None if pid is None else int(pid)


def kill_in_turn(home: Path, ended: threading.Event, killed: list[str]) -> None:
    """Begins when the first champion serves: before that there is no story to disturb."""
    while not ended.wait(1.0) and "first champion" not in (home / "demo.out").read_text():
        pass
    turn = 0
    while not ended.wait(PAUSE_SECONDS):
        part = PARTS[turn % len(PARTS)]
        turn += 1
        pid = pid_of(home, part)
        if pid is None:
            continue
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # between two lives
            continue
        killed.append(part)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a finished story; its stack still runs."""
    folder = Path(tmp_path_factory.mktemp("kills"))
    (folder / "demo.out").touch()
    ended, killed = threading.Event(), list[str]()
    killer = threading.Thread(target=kill_in_turn, args=(folder, ended, killed))
    data = load_settings().test_data / "youtube"
    killer.start()
    try:
        with (folder / "demo.out").open("w") as out:
            done = subprocess.run(evergreen(folder, "demo", *(["--data", str(data)] if data.is_dir() else [])), stdout=out, stderr=out, check=False)
        ended.set()
        killer.join()
        print(f"killed {len(killed)}: {', '.join(killed)}")  # noqa: T201 - belongs into the report
        assert done.returncode == 0, (folder / "demo.out").read_text()[-4000:]
        assert set(killed) >= set(PARTS) - {"airflow-api"}, f"the story ended before all were killed: {killed}"
        yield folder
    finally:
        ended.set()
        killer.join()
        subprocess.run(evergreen(folder, "down"), check=False)


@pytest.fixture(scope="module")
def records(home: Path) -> Iterator[psycopg2.extensions.cursor]:
    connection = psycopg2.connect(load_settings(home).postgres.dsn.get_secret_value())
    connection.autocommit = True
    with connection.cursor() as cursor:
        yield cursor
    connection.close()


def test_the_story_ends(home: Path) -> None:
    steps = {step["name"] for step in json.loads((home / "demo.json").read_text())["steps"]}
    assert steps >= {"bootstrap", "drift", "retrain", "promote", "bad_refused", "forced_promote", "rollback"}


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(
            "SELECT id FROM actions WHERE status NOT IN ('succeeded', 'cancelled') AND due_at <= (SELECT max(time) FROM events)", id="every-action-is-done"
        ),
        pytest.param("SELECT seq FROM outbox WHERE sent_at IS NULL", id="everything-said-was-sent"),
        pytest.param(
            "SELECT e.id FROM events e WHERE NOT EXISTS (SELECT FROM decisions d WHERE (d.event_source, d.event_id) = (e.source, e.id))",
            id="every-event-is-decided",
        ),
        pytest.param("SELECT batch_id FROM batches WHERE status <> 'accepted'", id="every-batch-is-in"),
    ],
)
def test_nothing_is_lost(records: psycopg2.extensions.cursor, query: str) -> None:
    records.execute(query)
    assert records.fetchall() == []


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("SELECT model, epoch FROM deployments WHERE epoch IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1", id="an-epoch-is-given-once"),
        pytest.param("SELECT action_id FROM model_versions GROUP BY 1 HAVING count(*) > 1", id="a-retrain-makes-one-version"),
        pytest.param("SELECT action_id FROM deployments WHERE status = 'confirmed' GROUP BY 1 HAVING count(*) > 1", id="an-action-deploys-once"),
        pytest.param("SELECT source, id FROM predictions GROUP BY 1, 2 HAVING count(*) > 1", id="a-prediction-is-recorded-once"),
        pytest.param("SELECT model, entity FROM feedback GROUP BY 1, 2 HAVING count(*) > 1", id="feedback-counts-once"),
        pytest.param("SELECT model, version, first_day, last_day FROM drift_reports GROUP BY 1, 2, 3, 4 HAVING count(*) > 1", id="a-window-is-judged-once"),
    ],
)
def test_nothing_is_done_twice(records: psycopg2.extensions.cursor, query: str) -> None:
    records.execute(query)
    assert records.fetchall() == []
