"""The figures for people: first what has a bar, then everything."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.bars import Judged, judged
from benchmarks.rows import Row

STYLE = {"aim": "green", "bar": "yellow", "missed": "bold red"}
SAID = {"aim": "aim reached", "bar": "bar reached", "missed": "missed"}


def show(rows: Sequence[Row], console: Console) -> None:
    machine = f"{cores()} cores, {platform.machine()}, Python {platform.python_version()}, load average {os.getloadavg()[2]:.1f} in the last 15 minutes"
    console.print(f"{machine}; medians of rounds that take turns", highlight=False)
    if found := judged(rows):
        console.print(_bars(found))
    console.print(_figures(rows))


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


def _bars(found: Sequence[Judged]) -> Table:
    table = Table("figure", title="Bars and aims", title_justify="left")
    for name in ("measured", "bar", "aim"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for one in found:
        sign, shown = ("≤ " if one.bar.at_most else "≥ "), one.bar.shown.format
        aim = "" if one.bar.aim is None else sign + shown(one.bar.aim)
        table.add_row(one.bar.label, shown(one.figure), sign + shown(one.bar.bar), aim, Text(SAID[one.verdict], style=STYLE[one.verdict]))
    return table


def _figures(rows: Sequence[Row]) -> Table:
    """One line for each system at each load; ratios are those of its first figure."""
    table = Table("what", "system", title="All figures", title_justify="left")
    for name in ("clients", "workers"):
        table.add_column(name, justify="right")
    table.add_column("figures")
    for name in ("× constant", "× mlflow"):
        table.add_column(name, justify="right", no_wrap=True)
    for (what, system, clients, workers), group in groupby(rows, key=lambda row: (row.what, row.system, row.clients, row.workers)):
        same = list(group)
        said = " · ".join(f"{_number(row.value)} {row.unit}" for row in same)
        table.add_row(what, system, str(clients or ""), str(workers), said, _ratio(same[0].ratio_to_constant), _ratio(same[0].ratio_to_mlflow))
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.3g}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:,.3g}"
