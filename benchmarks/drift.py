"""A window of a million rows and twenty columns against a stored reference profile: `python benchmarks/drift.py [--json] [--check]`.

Each figure comes from a process of its own that makes its table first and then counts and compares: seconds (best of three), and what the peak
of its memory rose by. Then five million rows as they would be read from files, a part at a time: memory in all, and that the parts' sum
is the whole's result. `--check`: exits 1 where a bar is missed."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd

from evergreen.core.drift_profile import Profile
from evergreen.services.drift_profiles import counted, reference_profile
from evergreen.services.drift_statistics import compare_profiles

COLUMNS = [f"x{number}" for number in range(20)]
ROWS, PART, PARTS = 1_000_000, 125_000, 40
BARS = {"seconds": 2.0, "mb_beyond_the_table": 100.0, "mb_of_five_million": 250.0, "difference": 1e-12}


def table(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.standard_normal(rows) for name in COLUMNS})


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def memory_mb(word: str) -> float:
    """`VmRSS` now, `VmHWM` at its peak."""
    found = re.search(rf"{word}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return 0.0 if found is None else int(found[1]) / 1024


def reference() -> Profile:
    """As it comes out of the database."""
    return Profile.from_json(json.loads(json.dumps(reference_profile(table(PART, 1), COLUMNS).to_json())))


def one_window() -> dict[str, float]:
    stored, rows = reference(), table(ROWS, 2)
    compare_profiles(stored, counted(rows.iloc[:1000], stored), COLUMNS)  # what is imported and made once is no cost of a window
    forget_peak()
    before, best = memory_mb("VmRSS"), float("inf")
    for _ in range(3):
        begun = time.perf_counter()
        compare_profiles(stored, counted(rows, stored), COLUMNS)
        best = min(best, time.perf_counter() - begun)
    return {"seconds": round(best, 3), "mb_beyond_the_table": round(memory_mb("VmHWM") - before, 1)}


def in_parts() -> dict[str, float]:
    stored = reference()
    forget_peak()
    begun = time.perf_counter()
    whole = reduce(Profile.merge, (counted(table(PART, 100 + number), stored) for number in range(PARTS)))
    found = compare_profiles(stored, whole, COLUMNS)
    figures = {"seconds_of_five_million": round(time.perf_counter() - begun, 2), "mb_of_five_million": round(memory_mb("VmHWM"), 1)}
    again = compare_profiles(stored, counted(pd.concat([table(PART, 100 + number) for number in range(PARTS)], ignore_index=True), stored), COLUMNS)
    return {**figures, "difference": max(abs(one.statistic - other.statistic) for one, other in zip(found.results, again.results, strict=True))}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only", choices=["window", "parts"])
    asked = parser.parse_args()
    if asked.only:
        sys.stdout.write(json.dumps(one_window() if asked.only == "window" else in_parts()))
        return 0
    figures: dict[str, float] = {}
    for only in ("window", "parts"):
        figures |= json.loads(subprocess.run([sys.executable, __file__, "--only", only], capture_output=True, text=True, check=True).stdout)
    lines = [f"{name:24} {value:10.4g}   bar {BARS.get(name, '-')}" for name, value in figures.items()]
    sys.stdout.write(f"{json.dumps(figures) if asked.json else chr(10).join(lines)}\n")
    missed = [name for name, bar in BARS.items() if figures[name] > bar]
    return 1 if asked.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
