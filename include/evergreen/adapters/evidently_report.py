"""Evidently's drift report as evidence for people. Our own statistics decide; this is made afterwards.

It runs in a child process with a time limit: the import alone takes 5 to 15 seconds and 250 MB, and a report that hangs must not hold
a task. Run as `python -m evergreen.adapters.evidently_report REFERENCE CURRENT OUT CATEGORICAL`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from evergreen.core.errors import Unavailable
from evergreen.environment import child_environment

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 10_000
TIMEOUT_SECONDS = 120.0


class EvidentlyReports:
    """`<folder>/<report id>.html`, whole or not at all."""

    def __init__(self, folder: Path, home: Path, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._folder = folder
        self._home = home
        self._timeout = timeout_seconds
        self._child: subprocess.Popen[bytes] | None = None

    def url(self, report_id: UUID) -> str:
        return self._path(report_id).resolve().as_uri()

    def exists(self, report_id: UUID) -> bool:
        return self._path(report_id).is_file()

    def read(self, report_id: UUID) -> bytes | None:
        try:
            return self._path(report_id).read_bytes()
        except FileNotFoundError:
            return None

    def make(self, report_id: UUID, reference: pd.DataFrame, current: pd.DataFrame, *, categorical: Sequence[str], title: str) -> bytes:
        path = self._path(report_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="evergreen-report-") as folder:
            sides = [Path(folder) / "reference.parquet", Path(folder) / "current.parquet"]
            for side, rows in zip(sides, (reference, current), strict=True):
                rows.sample(min(len(rows), MAX_ROWS), random_state=0).to_parquet(side, index=False)
            made = Path(folder) / "report.html"
            self._run([*map(str, sides), str(made), ",".join(categorical), title])
            body = made.read_bytes()
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(body)
        unfinished.replace(path)
        return body

    def _run(self, arguments: list[str]) -> None:
        polite = ["nice", "-n", "10"] if shutil.which("nice") else []  # what the drift led to is at work at the same time
        command = [*polite, sys.executable, "-m", "evergreen.adapters.evidently_report", *arguments]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=child_environment(self._home)) as child:
            self._child = child
            try:
                _, errors = child.communicate(timeout=self._timeout)
            except subprocess.TimeoutExpired as error:
                child.kill()
                raise Unavailable(f"the drift report was not made within {self._timeout:.0f} s") from error
            finally:
                self._child = None
        if child.returncode != 0:
            last = (errors.decode(errors="replace").strip().splitlines() or [f"it ended with {child.returncode}"])[-1]
            raise Unavailable(f"the drift report could not be made: {last[:300]}")

    def close(self) -> None:
        """End what is being made: a process that is told to stop does not wait for a picture."""
        child = self._child
        if child is not None:
            child.kill()

    def _path(self, report_id: UUID) -> Path:
        return self._folder / f"{report_id}.html"


def write_report(reference_path: Path, current_path: Path, out: Path, categorical: Sequence[str], title: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        reference, current = (_readable(path, categorical) for path in (reference_path, current_path))
        # An all-null column raises there; it is in our own findings.
        shared = [name for name in reference.columns if name in current.columns and reference[name].notna().any() and current[name].notna().any()]
        named = [name for name in shared if name in categorical]
        definition = DataDefinition(numerical_columns=[name for name in shared if name not in named], categorical_columns=named)
        sides = [Dataset.from_pandas(rows[shared], data_definition=definition) for rows in (current, reference)]
        report = Report([DataDriftPreset()], metadata={"title": title}).run(*sides)
        out.write_text(report.get_html_str(as_iframe=False), encoding="utf-8")


def _readable(path: Path, categorical: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    rows = pd.read_parquet(path)
    for name in [name for name in categorical if name in rows]:
        rows[name] = rows[name].map(_label, na_action="ignore").astype("object")
    return rows


def _label(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def main() -> None:
    reference, current, out, categorical, title = sys.argv[1:6]
    write_report(Path(reference), Path(current), Path(out), [name for name in categorical.split(",") if name], title)


if __name__ == "__main__":
    main()
