"""One figure a row, as `.evergreen/bench.json` holds them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal, get_args

What = Literal["single", "video", "redis_hit", "l1_hit", "batch_1000", "restart", "memory", "swap", "bloom", "search", "jobs", "recommendations"]
WHATS: tuple[What, ...] = get_args(What)

CONSTANT, MLFLOW, FASTAPI, EVERGREEN, PIPELINE = "constant", "mlflow", "fastapi", "evergreen", "pipeline"
"""Systems: a bare Starlette constant, `mlflow models serve`, FastAPI + pydantic + the pipeline, ours, and the pipeline in process."""


@dataclass(frozen=True)
class Row:
    what: What
    system: str
    clients: int
    """0: not asked over HTTP."""
    workers: int
    value: float
    unit: str
    """With the statistic: `req/s`, `ms p99`, `rows/s`, `s`, `MB`."""
    ratio_to_constant: float | None = None
    ratio_to_mlflow: float | None = None

    @staticmethod
    def of(said: Mapping[str, Any]) -> Row:
        """Raises TypeError or ValueError for what is no row."""
        row = Row(**said)
        if row.what not in WHATS:
            raise ValueError(f"{row.what!r} is none of {', '.join(WHATS)}")
        return row


@dataclass(frozen=True)
class Series:
    """One system's figure in each round."""

    what: What
    system: str
    clients: int
    workers: int
    unit: str
    values: Sequence[float]


def compared(series: Iterable[Series]) -> list[Row]:
    """Medians over the rounds; ratios are medians of each round's own ratio to the constant and to mlflow with the same what, clients and unit.

    The machine's mood changes between rounds more than within one: so every round compares with itself."""
    found = list(series)
    return [_row(one, _yardstick(one, found, CONSTANT), _yardstick(one, found, MLFLOW)) for one in found]


def _yardstick(one: Series, found: Sequence[Series], system: str) -> Series | None:
    same = (one.what, system, one.clients, one.unit)
    return next((other for other in found if (other.what, other.system, other.clients, other.unit) == same), None)


def _row(one: Series, constant: Series | None, mlflow: Series | None) -> Row:
    return Row(one.what, one.system, one.clients, one.workers, median(one.values), one.unit, ratio(one.values, constant), ratio(one.values, mlflow))


def ratio(values: Sequence[float], yardstick: Series | None) -> float | None:
    """None: there is nothing to compare with."""
    if yardstick is None or not all(yardstick.values):
        return None
    return median(value / other for value, other in zip(values, yardstick.values, strict=True))


def write(rows: Iterable[Row], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    body = {"rows": [asdict(row) for row in rows]}
    file.with_suffix(".part").write_text(json.dumps(body, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    file.with_suffix(".part").rename(file)
