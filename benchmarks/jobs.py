"""A job of a million rows, from its upload's first byte to its result's last: `python -m benchmarks.jobs [--rows N]`.

Beside it the pipeline in process on the same rows, already in a data frame, with the threads that suit it best: it neither reads nor writes
a file. The memory is the most the runner ever held; flat means that ten times the rows take no more."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from benchmarks.fleet import Fleet, fleet
from benchmarks.material import SEED, SPEC, Material, prepared
from benchmarks.processes import Program
from benchmarks.rows import EVERGREEN, PIPELINE, Row
from evergreen.core.jobs import JobFormat
from evergreen.local_stack.testing import stack

ROWS = 1_000_000
FORMATS = (JobFormat.PARQUET, JobFormat.CSV, JobFormat.JSONL)
SHARE = "of the pipeline's rows/s"


def frame(material: Material, count: int) -> pd.DataFrame:
    """Rows as different from each other as the table's, in any order."""
    known = material.table[list(SPEC.feature_names)].to_numpy(dtype=np.float64, na_value=np.nan)
    return pd.DataFrame(known[np.random.default_rng(SEED).integers(0, len(known), count)], columns=list(SPEC.feature_names))


def in_process(material: Material, rows: pd.DataFrame) -> float:
    """The pipeline's rows a second."""
    predict, seconds = material.versions[1].estimators["primary"].predict, []
    for threads in (1, None):
        with threadpool_limits(threads):
            begun = time.perf_counter()
            predict(rows)
            seconds.append(time.perf_counter() - begun)
    return len(rows) / min(seconds)


def written(rows: pd.DataFrame, file: Path, kind: JobFormat) -> None:
    table = pa.Table.from_pandas(rows.assign(video_id=[f"v{number}" for number in range(len(rows))]), preserve_index=False)
    if kind is JobFormat.PARQUET:
        pq.write_table(table, file)
    elif kind is JobFormat.CSV:
        pacsv.write_csv(table, file)
    else:
        with file.open("w") as lines:
            lines.writelines(json.dumps({name: value for name, value in row.items() if value == value}) + "\n" for row in table.to_pylist())


class Memory:
    """The most a worker's runner held."""

    def __init__(self, worker: int) -> None:
        self.megabytes = 0.0
        self._worker = psutil.Process(worker)
        self._ended = threading.Event()

    @contextmanager
    def watched(self) -> Iterator[Memory]:
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        yield self
        self._ended.set()
        thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            try:
                held = [child.memory_info().rss for child in self._worker.children()]
            except psutil.Error:
                continue
            self.megabytes = max([self.megabytes, *(one / 2**20 for one in held)])


def job(found: Fleet, worker: Program, file: Path, kind: JobFormat, expected: Any) -> tuple[float, float]:
    """(seconds, MB)."""
    pause = threading.Event()
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{worker.port}", headers=dict(found.headers), timeout=120) as client,
        Memory(worker.process.pid).watched() as memory,
    ):
        begun = time.perf_counter()
        with file.open("rb") as body:
            answer = client.post("/jobs/predictions?format=parquet" if kind is JobFormat.JSONL else "/jobs/predictions", content=body, headers=_media(kind))
        place = answer.raise_for_status().headers["location"]
        while client.get(place).json()["state"] in {"queued", "running"}:
            pause.wait(0.05)
        result = file.with_suffix(".result")
        with client.stream("GET", f"{place}/result") as sent, result.open("wb") as to:
            sent.raise_for_status()
            for piece in sent.iter_bytes(2**20):
                to.write(piece)
        seconds = time.perf_counter() - begun
    said = (pacsv.read_csv(result) if kind is JobFormat.CSV else pq.read_table(result)).column("prediction").to_numpy()
    if len(said) != len(expected) or not float(np.abs(said[: len(expected)] - expected).max()) <= 1e-9:
        raise AssertionError(f"the job in {kind} does not say what the pipeline says")
    return seconds, memory.megabytes


def _media(kind: JobFormat) -> dict[str, str]:
    return {"content-type": kind.media_type}


def rows(count: int = ROWS) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="eg-jobs-") as folder, stack({"postgres"}) as settings:
        material = prepared(Path(folder))
        given = frame(material, count)
        alone = in_process(material, given)
        expected = material.versions[1].estimators["primary"].predict(given)
        made = [Row("jobs", PIPELINE, 0, 1, alone, "rows/s")]
        shares = []
        with fleet(settings, material) as found, found.workers("jobs", 1) as [worker]:
            found.await_live(1)
            found.promote(1)
            for kind in FORMATS:
                file = Path(folder) / f"rows.{kind.value}"
                written(given, file, kind)
                seconds, megabytes = job(found, worker, file, kind, expected)
                shares += [count / seconds / alone] if kind is not JobFormat.JSONL else []
                made.append(Row("jobs", f"{EVERGREEN}, {kind.value}", 1, 1, count / seconds, "rows/s"))
                made.append(Row("jobs", f"{EVERGREEN}, {kind.value}", 1, 1, count / seconds / alone, SHARE))
                made.append(Row("jobs", f"{EVERGREEN}, {kind.value}", 1, 1, megabytes, "MB RSS"))
        return [*made, Row("jobs", EVERGREEN, 1, 1, min(shares), SHARE)]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=ROWS)
    for row in rows(arguments.parse_args().rows):
        sys.stdout.write(f"{row.system:20} {row.value:14,.2f} {row.unit}\n")


if __name__ == "__main__":
    main()
