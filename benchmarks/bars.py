"""What each figure has to reach (bar) and what it should (aim)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.rows import EVERGREEN, Row, What
from benchmarks.trials import BESIDE


@dataclass(frozen=True)
class Bar:
    label: str
    what: What
    unit: str
    bar: float
    aim: float | None = None
    clients: int | None = None
    """None: whatever the row has."""
    workers: int = 1
    of: Literal["value", "ratio_to_constant", "ratio_to_mlflow"] = "value"
    at_most: bool = False
    shown: str = "{:,.2f}"
    system: str = EVERGREEN

    def figure(self, rows: Iterable[Row]) -> float | None:
        """None: not measured."""
        for row in rows:
            if (row.what, row.system, row.unit, row.workers) == (self.what, self.system, self.unit, self.workers) and self.clients in (None, row.clients):
                found: float | None = getattr(row, self.of)
                return found
        return None

    def reached(self, figure: float, wanted: float) -> bool:
        return figure <= wanted if self.at_most else figure >= wanted


@dataclass(frozen=True)
class Judged:
    bar: Bar
    figure: float

    @property
    def verdict(self) -> Literal["aim", "bar", "missed"]:
        if not self.bar.reached(self.figure, self.bar.bar):
            return "missed"
        return "aim" if self.bar.aim is None or self.bar.reached(self.figure, self.bar.aim) else "bar"


def judged(rows: Sequence[Row]) -> list[Judged]:
    """Those that were measured."""
    return [Judged(bar, figure) for bar in BARS if (figure := bar.figure(rows)) is not None]


TIMES = "{:,.2f}×"
MS = "{:,.1f} ms"
MB = "{:,.0f} MB"
WHOLE = "{:,.0f}"

BARS: tuple[Bar, ...] = (
    Bar("one prediction at 16 clients, req/s, of the constant", "single", "req/s", 0.20, 0.40, 16, of="ratio_to_constant", shown=TIMES),
    Bar("one prediction at 16 clients, req/s, of mlflow models serve", "single", "req/s", 20, 80, 16, of="ratio_to_mlflow", shown=TIMES),
    Bar("p50 at 1 client, of the constant's", "single", "ms p50", 3, 1.5, 1, of="ratio_to_constant", at_most=True, shown=TIMES),
    Bar("p99 at 16 clients, of the constant's", "single", "ms p99", 5, 1.5, 16, of="ratio_to_constant", at_most=True, shown=TIMES),
    Bar("p95 at 64 clients", "single", "ms p95", 100, None, 64, at_most=True, shown=MS),
    Bar("p99 at 64 clients (aim)", "single", "ms p99", 100, 50, 64, at_most=True, shown=MS),
    Bar("/predict/video, all heads, at 16 clients, of the constant", "video", "req/s", 0.10, None, 16, of="ratio_to_constant", shown=TIMES),
    Bar("hit in Redis, of the constant", "redis_hit", "req/s", 0.3, 0.8, 16, of="ratio_to_constant", shown=TIMES),
    Bar("hit in the process, of the constant", "l1_hit", "req/s", 0.5, 1.2, 16, of="ratio_to_constant", shown=TIMES),
    Bar("batch of 1,000, of the pipeline's rows/s in process", "batch_1000", "of the pipeline's rows/s", 0.7, 2.0, shown=TIMES),
    Bar("restart to the first valid prediction, of the constant's", "restart", "s", 3, 1.5, of="ratio_to_constant", at_most=True, shown=TIMES),
    Bar("memory of a worker (RSS)", "memory", "MB RSS", 200, 110, at_most=True, shown=MB),
    Bar("20 hot swaps at 200 req/s: errors", "swap", "errors", 0, at_most=True, shown=WHOLE),
    Bar("20 hot swaps: p99", "swap", "ms p99", 100, at_most=True, shown=MS),
    Bar("20 hot swaps: answers of two versions", "swap", "answers of two versions", 0, at_most=True, shown=WHOLE),
    Bar("20 hot swaps beside a shadow trial: errors", "swap", "errors", 0, at_most=True, shown=WHOLE, system=BESIDE),
    Bar("20 hot swaps beside a shadow trial: p99", "swap", "ms p99", 100, at_most=True, shown=MS, system=BESIDE),
    Bar("20 hot swaps beside a shadow trial: answers of two versions", "swap", "answers of two versions", 0, at_most=True, shown=WHOLE, system=BESIDE),
    Bar("p99 at 200 req/s beside a shadow trial, of that without", "swap", "of the p99 without", 1.25, at_most=True, shown=TIMES, system=BESIDE),
    Bar("keyword search over 1 M videos, p95", "search", "ms", 50, 15, at_most=True, shown=MS, system="postgres, all, 1000000 videos, p95"),
    Bar("a job of 1 M rows, of the pipeline's rows/s in process", "jobs", "of the pipeline's rows/s", 0.7, 2.0, shown=TIMES),
    Bar("a list from Redis at 200 req/s, p99", "recommendations", "ms p99", 20, at_most=True, shown=MS, system=f"{EVERGREEN}, stored"),
    Bar("a list made on a miss at 200 req/s, p99", "recommendations", "ms p99", 50, at_most=True, shown=MS, system=f"{EVERGREEN}, computed"),
    Bar("seen in 7 days, one key, in the worker", "bloom", "keys/s", 200_000, 1_000_000, system="local single", shown=WHOLE),
    Bar("seen in 7 days, one key, in Redis", "bloom", "keys/s", 6_000, system="shared single", shown=WHOLE),
    Bar("seen in 7 days: strangers taken for members", "bloom", "share", 0.012, system="union error", at_most=True, shown="{:.2%}"),
    Bar("seen in 7 days: members missed, 4 writers", "bloom", "items", 0, system="false negatives", at_most=True, shown=WHOLE),
)
