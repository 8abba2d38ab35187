"""Numbers of the loop that a `spec.toml` may set for its model: gates, windows, rollout, search. What is not written keeps its default.

Guarantee and remedy as in spec_file: a mistake is refused with what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from evergreen.core.errors import SpecRefused
from evergreen.domains.tabular.declared import Grid

Fault = Callable[[str, str, str], SpecRefused]
"""(section, key, what to write instead)"""


class Knob(NamedTuple):
    low: float
    high: float
    whole: bool = False

    def __str__(self) -> str:
        return f"{'a whole number' if self.whole else 'a number'} from {self.low:g} to {self.high:g}"

    def takes(self, value: object) -> bool:
        kind = int if self.whole else int | float
        return isinstance(value, kind) and not isinstance(value, bool) and self.low <= value <= self.high


def _whole(low: float, high: float) -> Knob:
    return Knob(low, high, whole=True)


KNOBS: Mapping[str, Mapping[str, Knob]] = {
    "gates": {
        "min_rows": _whole(20, 100_000),
        "non_inferiority_margin": Knob(0.0, 0.5),
        "min_improvement": Knob(0.0, 0.5),
        "segment_min_rows": _whole(10, 100_000),
        "segment_margin": Knob(0.0, 2.0),
        "max_calibration_gap": Knob(0.01, 0.5),
        "max_latency_ms": Knob(1, 10_000),
        "max_size_mb": Knob(0.1, 500),
        "max_disagreement": Knob(0.0, 1.0),
    },
    "windows": {
        "evaluation_days": _whole(1, 60),
        "full_window_days": _whole(7, 3650),
        "min_change_rows": _whole(50, 1_000_000),
        "performance_rows": _whole(50, 100_000),
    },
    "rollout": {
        "shadow_rows": _whole(0, 5000),
        "shadow_hours": Knob(0.1, 24 * 28),
        "canary_share": Knob(0.0, 0.5),
        "canary_seconds": Knob(0.1, 600),
        "canary_requests": _whole(50, 1_000_000),
    },
}
BUDGET: Mapping[str, Knob] = {"trials": _whole(2, 50), "seconds": Knob(1, 3600)}
GRID: Mapping[str, Knob] = {
    "max_iter": _whole(10, 1000),
    "learning_rate": Knob(0.001, 1.0),
    "max_leaf_nodes": _whole(2, 64),
    "min_samples_leaf": _whole(1, 1000),
    "l2_regularization": Knob(0.0, 1000.0),
}
"""Of the boosted trees; a tree of more than 64 leaves has no compiled form."""
MAX_VALUES = 10


def read_all(said: Mapping[str, Any], fault: Fault) -> dict[str, Any]:
    """`Declared`'s fields of these sections. Raises SpecRefused."""
    return {**{section: _read_knobs(said, section, fault) for section in KNOBS}, "search": _read_search(said, fault)}


def _read_knobs(said: Mapping[str, Any], section: str, fault: Fault) -> Mapping[str, float]:
    """What is written of a section's numbers. Raises SpecRefused."""
    table = _section(said, section, KNOBS[section], fault)
    return {key: _within(section, key, value, KNOBS[section][key], fault) for key, value in table.items()}


def _read_search(said: Mapping[str, Any], fault: Fault) -> Grid | None:
    """Raises SpecRefused."""
    if "search" not in said:
        return None
    table = _section(said, "search", (*BUDGET, *GRID), fault)
    values = {key: _values(key, table[key], fault) for key in GRID if key in table}
    if not values:
        raise fault("search", "", f"write what to choose from, such as learning_rate = [0.05, 0.1]: known are {', '.join(GRID)}")
    budget = {key: _within("search", key, table[key], BUDGET[key], fault) for key in BUDGET if key in table}
    return Grid(values, **budget)  # type: ignore[arg-type]  # of their kinds


def _section(said: Mapping[str, Any], section: str, known: Collection[str], fault: Fault) -> Mapping[str, Any]:
    table = said.get(section, {})
    if not isinstance(table, dict):
        raise fault("", section, f"write [{section}] and its lines below it")
    for key in table:
        if key not in known:
            raise fault(section, key, f"{key!r} means nothing here: known are {', '.join(sorted(known))}")
    return table


def _values(key: str, values: object, fault: Fault) -> tuple[float, ...]:
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_VALUES or len(set(map(str, values))) < len(values):
        raise fault("search", key, f"write {key} as a list of 1 to {MAX_VALUES} different values, each {GRID[key]}")
    return tuple(_within("search", key, value, GRID[key], fault) for value in values)


def _within(section: str, key: str, value: Any, knob: Knob, fault: Fault) -> float:
    if not knob.takes(value):
        raise fault(section, key, f"{key} is {value!r}: write {knob}")
    number: float = value
    return number
