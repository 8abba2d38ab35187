"""A prediction job from its file to its result: formats, bad rows, deaths at any place, hostile files. Real files, no process, no database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evergreen.core.errors import ArtifactRefused, Unavailable
from evergreen.core.jobs import JobFormat, JobKind, JobState
from evergreen.domains.tabular.spec import tabular_spec
from evergreen.domains.tabular.spec_file import parse_spec
from evergreen.domains.videos.names import FEATURES
from evergreen.ports.serving import StoredFeatures
from tests.support.jobs import NOW, SPEC, JobBench, plain_score, written
from tests.unit.domains.tabular.test_spec_file import WHOLE

FORMATS = list(JobFormat)
VERSION = f"{SPEC.name}@3"


def rows(count: int) -> list[dict[str, Any]]:
    return [{"video_id": f"v{at}", "hour": float(at % 24), "category_id": at % 50, "title_length": 7.5 if at % 3 else None} for at in range(count)]


def expected(count: int) -> list[dict[str, Any]]:
    said = [{"video_id": f"v{at}", "prediction": at % 24 + 100.0 * (at % 50)} for at in range(count)]
    return [{**one, "model_version": VERSION, "error": None} for one in said]


@pytest.fixture
def bench(tmp_path: Path) -> JobBench:
    return JobBench(tmp_path)


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("given", FORMATS)
def test_every_row_comes_back_in_its_place_in_any_format(bench: JobBench, given: JobFormat, output: JobFormat) -> None:
    job_id = bench.add(written(rows(300), given), given, output=output)
    job = bench.run(job_id)
    assert (job.state, job.rows_done, job.rows_total, job.errors, job.kind) == (JobState.SUCCEEDED, 300, 300, {}, JobKind.SCORE)
    assert bench.result(job_id) == expected(300)
    left = {found.name for found in bench.folders.folder(job_id).iterdir()}
    assert left == {bench.folders.result(job).name}
    assert job.result_bytes == bench.folders.result(job).stat().st_size


@pytest.mark.parametrize("given", FORMATS)
def test_without_ids_rows_are_known_by_their_order(bench: JobBench, given: JobFormat) -> None:
    job_id = bench.add(written([{"hour": 1.0}, {"hour": 2.0}], given), given)
    bench.run(job_id)
    assert [(row["prediction"], set(row)) for row in bench.result(job_id)] == [(at - 100.0, {"prediction", "model_version", "error"}) for at in (1, 2)]


@pytest.mark.parametrize("given", FORMATS)
def test_a_declared_models_rows_are_read_as_its_requests_are(tmp_path: Path, given: JobFormat) -> None:
    """Categories by their texts, an unknown one as `other`; its entity comes back by its own name."""
    spec = tabular_spec(parse_spec(WHOLE, folder="flats"))
    bench = JobBench(tmp_path, spec=spec)
    bench.score = lambda matrix: matrix @ np.array([1.0, 1000.0, 100_000.0])
    asked = [{"listing_id": f"l{at}", "area": 50.0 + at, "district": district, "rooms": 3} for at, district in enumerate(("north", "south", "moon"))]
    job_id = bench.add(written(asked, given), given)
    assert (bench.run(job_id).kind, bench.table.rows[job_id].errors) == (JobKind.ROWS, {})
    said = [300_050.0, 301_051.0, 302_052.0]
    assert [(row["listing_id"], row["prediction"], row["model_version"]) for row in bench.result(job_id)] == [
        (f"l{at}", value, "flats@3") for at, value in enumerate(said)
    ]


@pytest.mark.parametrize("given", FORMATS)
def test_facts_of_videos_go_the_way_of_a_single_prediction(bench: JobBench, given: JobFormat) -> None:
    """Hours are derived in Seoul; the channel's history is looked up; a row that is an id alone stands for what is stored of it."""
    bench.lookup.known = {"known": StoredFeatures({"category_id": 7, "hour": 3}, NOW), "channel:UC1": StoredFeatures({"channel_videos": 5.0}, NOW)}
    asked: list[Any] = []

    def noting(matrix: Any) -> Any:
        asked.append(matrix.copy())
        return plain_score(matrix)

    bench.score = noting
    facts: list[dict[str, Any]] = [
        {"video_id": "a", "title": "여름 12", "published_at": "2025-07-24T09:00:00Z", "category_id": 22, "channel_id": "UC1"},
        {"video_id": "known", "title": None, "published_at": None, "category_id": None, "channel_id": None},
        {"video_id": "nobody", "title": None, "published_at": None, "category_id": None, "channel_id": None},
        {"video_id": "b", "title": "12", "published_at": None, "category_id": 1, "channel_id": "UC1"},
    ]
    job_id = bench.add(written(facts, given), given)
    job = bench.run(job_id)
    result = bench.result(job_id)
    assert (job.state, job.kind, job.errors) == (JobState.SUCCEEDED, JobKind.ROWS, {"unknown-entity": 1})
    assert [row["prediction"] for row in result] == [18 + 2200.0, 3 + 700.0, None, -1 + 100.0]
    assert result[2]["error"].startswith("unknown-entity: ")
    seen = np.concatenate(asked)
    assert seen[:, FEATURES.index("title_length")].tolist()[::3] == [5.0, 2.0]
    assert seen[:, FEATURES.index("channel_videos")].tolist()[::3] == [5.0, 5.0]


def test_ids_alone_are_a_job_too(bench: JobBench) -> None:
    bench.lookup.known = {"a": StoredFeatures({"category_id": 7, "hour": 3}, NOW)}
    job_id = bench.add(b"video_id\na\nb\n", JobFormat.CSV)
    bench.run(job_id)
    assert [(row["video_id"], row["prediction"]) for row in bench.result(job_id)] == [("a", 703.0), ("b", None)]


BAD_CSV = b"""video_id,hour,category_id
a,1,2
b,abc,2
c,1
d,1,2,3
"e ""x"", y",1e0,true
f,,NULL

g,1_0,2
h,5,2
"""


def test_bad_rows_of_a_csv_file_are_told_in_their_place_and_counted(bench: JobBench) -> None:
    job_id = bench.add(BAD_CSV, JobFormat.CSV, output=JobFormat.PARQUET)
    job = bench.run(job_id)
    found = [(row["video_id"], row["prediction"], row["error"]) for row in bench.result(job_id)]
    assert found == [
        ("a", 201.0, None),
        ("b", None, "invalid-value: hour is not a number"),
        (None, None, "invalid-row: 2 values in 3 columns"),
        (None, None, "invalid-row: 4 values in 3 columns"),
        ('e "x", y', 101.0, None),
        ("f", -101.0, None),
        ("g", None, "invalid-value: hour is not a number"),
        ("h", 205.0, None),
    ]
    assert (job.state, job.rows_done, job.errors) == (JobState.SUCCEEDED, 8, {"invalid-value": 2, "invalid-row": 2})


def test_bad_lines_of_json_are_told_in_their_place_and_counted(bench: JobBench) -> None:
    lines = [b'{"video_id": "a", "hour": 1, "category_id": 2}', b"{", b"[1]", b'{"video_id": "d", "hour": "1"}', b"", b'{"video_id": "e", "hour": true}']
    lines += [b'{"video_id": "f", "hour": 1e999}', b'{"video_id": "\xff", "hour": 1}', b'{"video_id": "g", "hour": 1, "tilte": "x"}', b'{"video_id": 5}']
    lines += [b'{"video_id": "h", "hour": [1]}', b"[" * 100_000, b'{"a":' * 50_000, b'{"video_id": "i", "hour": 4, "category_id": 0}']
    job_id = bench.add(b"\n".join(lines), JobFormat.JSONL, kind=JobKind.SCORE)
    job = bench.run(job_id)
    found = [(row["video_id"], row["prediction"], (row["error"] or "").partition(":")[0]) for row in bench.result(job_id)]
    assert found == [
        *(("a", 201.0, ""), (None, None, "invalid-row"), (None, None, "invalid-row"), ("d", None, "invalid-value"), ("e", -99.0, "")),
        *((None, None, "invalid-row"), (None, None, "invalid-row"), ("g", None, "invalid-row"), (None, -101.0, "")),
        *(("h", None, "invalid-value"), (None, None, "invalid-row"), (None, None, "invalid-row"), ("i", 4.0, "")),
    ]
    assert job.state is JobState.SUCCEEDED


def test_quotes_that_never_close_cost_their_line_alone(tmp_path: Path) -> None:
    """Also when the rest of the file would be inside of them."""
    bench = JobBench(tmp_path, chunk_rows=8192)
    good = b"".join(b'v%d,"1",2\n' % at for at in range(400_000))
    job_id = bench.add(b'video_id,hour,category_id\n"x\ny",3,2\n"open,1,2\n' + good, JobFormat.CSV)
    bench.bounds = replace(bench.bounds, max_rows=10**6)
    job = bench.run(job_id)
    assert job.state is JobState.SUCCEEDED
    assert job.errors["invalid-row"] <= 3
    assert job.rows_done - sum(job.errors.values()) >= 400_000


@pytest.mark.parametrize("given", [JobFormat.CSV, JobFormat.JSONL])
def test_a_huge_line_is_one_bad_row(bench: JobBench, given: JobFormat) -> None:
    *head, row = written(rows(1), given).splitlines(keepends=True)
    job_id = bench.add(b"".join(head) + row + b"x" * 5_000_000 + b"\n" + row, given)
    job = bench.run(job_id)
    assert [row["error"] is None for row in bench.result(job_id)] == [True, False, True]
    assert (job.state, job.errors) == (JobState.SUCCEEDED, {"invalid-row": 1})


@pytest.mark.parametrize(
    ("body", "given", "reason"),
    [
        pytest.param(b"PAR1 nothing PAR1", JobFormat.PARQUET, "not Parquet", id="no-parquet"),
        pytest.param(b"", JobFormat.PARQUET, "not Parquet", id="empty-parquet"),
        pytest.param(b"", JobFormat.CSV, "must name the columns", id="empty-csv"),
        pytest.param(b"\xff\xfe\x00a\n1\n", JobFormat.CSV, "UTF-8", id="no-utf-8"),
        pytest.param(b"a,b\n1,2\n", JobFormat.CSV, "no column is a feature", id="foreign-columns"),
        pytest.param(b"hour,hour\n1,2\n", JobFormat.CSV, "several columns named 'hour'", id="doubled-column"),
        pytest.param(b"x" * 300_000, JobFormat.CSV, "too long", id="endless-header"),
        pytest.param(b"[1]\n2\n", JobFormat.JSONL, "JSON object", id="no-objects"),
        pytest.param(written([{"hour": [1.0]}], JobFormat.PARQUET), JobFormat.PARQUET, "lists or structures", id="nested-column"),
    ],
)
def test_a_file_that_cannot_be_read_fails_the_job_and_says_why(bench: JobBench, body: bytes, given: JobFormat, reason: str) -> None:
    job_id = bench.add(body, given)
    job = bench.run(job_id)
    assert (job.state, reason in (job.error or "")) == (JobState.FAILED, True), job.error
    assert not bench.folders.folder(job_id).exists()


@pytest.mark.parametrize("given", FORMATS)
def test_more_rows_than_allowed_fail_the_job(tmp_path: Path, given: JobFormat) -> None:
    bench = JobBench(tmp_path, max_rows=99)
    job = bench.run(bench.add(written(rows(100), given), given))
    assert (job.state, "99" in (job.error or "")) == (JobState.FAILED, True)


def test_a_parquet_file_that_breaks_in_the_middle_fails_the_job(bench: JobBench) -> None:
    body = bytearray(written(rows(1000), JobFormat.PARQUET))
    body[len(body) // 3 : len(body) // 3 + 1000] = b"\xff" * 1000
    job = bench.run(bench.add(bytes(body), JobFormat.PARQUET))
    assert (job.state, "cannot be read after row" in (job.error or "")) == (JobState.FAILED, True)


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("given", FORMATS)
@pytest.mark.parametrize("died_after", [0, 1, 3])
def test_whoever_dies_in_the_middle_the_next_goes_on_and_no_row_is_lost_or_doubled(
    bench: JobBench, given: JobFormat, output: JobFormat, died_after: int
) -> None:
    scored = 0

    class Killed(BaseException):
        pass

    def dying(matrix: Any) -> Any:
        nonlocal scored
        scored += 1
        if scored > died_after:
            raise Killed
        return plain_score(matrix)

    bench.doors = type(bench.doors)(bench.folders, None, chunk_rows=100, max_rows=10**6)  # type: ignore[arg-type]
    job_id = bench.add(written(rows(8_000), given), given, output=output)
    bench.score = dying
    with pytest.raises(Killed):
        bench.run(job_id)
    bench.table.leases[job_id] = ("r", bench.table.now() - timedelta(seconds=1))
    bench.table.champions[SPEC.name] = 4  # a promotion in between changes nothing: one version answers a whole job
    bench.score = plain_score
    job = bench.run(job_id)
    assert (job.state, job.rows_done, job.attempts, bench.loaded) == (JobState.SUCCEEDED, 8_000, 2, [3, 3])
    assert bench.result(job_id) == expected(8_000)


def test_a_zombie_changes_nothing(bench: JobBench) -> None:
    """Its lease goes to another in the middle of its work; both then run to the end."""
    bench.doors = type(bench.doors)(bench.folders, None, chunk_rows=100, max_rows=10**6)  # type: ignore[arg-type]
    job_id = bench.add(written(rows(8_000), JobFormat.CSV), JobFormat.CSV)
    calls = 0

    def overtaken(matrix: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            bench.table.leases[job_id] = ("zombie", bench.table.now() - timedelta(seconds=1))
            bench.score = plain_score
            bench.runner().run("other")
            bench.score = lambda _: np.zeros(len(_))
        return np.zeros(len(matrix)) if calls > 1 else plain_score(matrix)

    bench.score = overtaken
    bench.runner().run("zombie")
    job = bench.table.rows[job_id]
    assert (job.state, job.token) == (JobState.SUCCEEDED, 2)
    assert bench.result(job_id) == expected(8_000)


def test_a_cancelled_job_stops_and_leaves_nothing(bench: JobBench) -> None:
    import asyncio

    bench.doors = type(bench.doors)(bench.folders, None, chunk_rows=100, max_rows=10**6)  # type: ignore[arg-type]
    job_id = bench.add(written(rows(8_000), JobFormat.CSV), JobFormat.CSV)
    calls = 0

    def cancelling(matrix: Any) -> Any:
        nonlocal calls
        calls += 1
        asyncio.run(bench.table.end(job_id))
        return plain_score(matrix)

    bench.score = cancelling
    assert bench.run(job_id).state is JobState.CANCELLED
    assert calls <= 2
    assert not bench.folders.folder(job_id).exists()


def test_told_to_end_it_gives_the_job_back_after_its_chunk(bench: JobBench) -> None:
    bench.doors = type(bench.doors)(bench.folders, None, chunk_rows=100, max_rows=10**6)  # type: ignore[arg-type]
    job_id = bench.add(written(rows(8_000), JobFormat.CSV), JobFormat.CSV)

    def ending(matrix: Any) -> Any:
        bench.stop.set()
        return plain_score(matrix)

    bench.score = ending
    job = bench.run(job_id)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    bench.stop.clear()
    bench.score = plain_score
    assert bench.run(job_id).state is JobState.SUCCEEDED
    assert bench.result(job_id) == expected(8_000)


def test_a_row_that_breaks_the_model_fails_alone(bench: JobBench) -> None:
    def breaking(matrix: Any) -> Any:
        if (matrix[:, FEATURES.index("hour")] == 5).any():
            raise ValueError("SELECT secret")
        return plain_score(matrix)

    job_id = bench.add(written(rows(10), JobFormat.CSV), JobFormat.CSV)
    bench.score = breaking
    job = bench.run(job_id)
    assert [row["error"] for row in bench.result(job_id)] == [None] * 5 + ["model-failed: the model failed on this row"] + [None] * 4
    assert job.errors == {"model-failed": 1}


def test_a_version_that_is_refused_fails_the_job_and_one_that_cannot_be_had_now_waits(bench: JobBench, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = bench.add(written(rows(10), JobFormat.CSV), JobFormat.CSV)
    monkeypatch.setattr(bench, "_load", lambda *_: (_ for _ in ()).throw(Unavailable("MLflow is away")))
    with pytest.raises(Unavailable):
        bench.run(job_id)
    assert bench.table.rows[job_id].state is JobState.RUNNING  # until its lease is over
    bench.table.leases[job_id] = ("r", bench.table.now() - timedelta(seconds=1))
    monkeypatch.setattr(bench, "_load", lambda *_: (_ for _ in ()).throw(ArtifactRefused("not signed")))
    job = bench.run(job_id)
    assert (job.state, job.error) == (JobState.FAILED, "not signed")


def test_nothing_waits_nothing_is_done(bench: JobBench) -> None:
    assert bench.runner().run("r") is None
