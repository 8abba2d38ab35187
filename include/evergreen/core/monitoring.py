"""From measured numbers to a severity, from probes to a state, from a `monitor` action to a pace. Decides; measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from evergreen.core.severity import Severity

Bounds = tuple[float, float, float, float]
"""Low, medium, high, critical; ascending."""


def severity_of(value: float, bounds: Bounds, *, inclusive: bool) -> Severity | None:
    """The highest bound that `value` reaches (inclusive: 70.0 reaches 70) or is above (100.0 is not above 100); None below the first."""
    reached = [severity for severity, bound in zip(Severity, bounds, strict=True) if value > bound or (inclusive and value == bound)]
    return reached[-1] if reached else None


def held_severity(windows: Sequence[float | None], bounds: Bounds, *, in_a_row: int, inclusive: bool) -> Severity | None:
    """The severity that every one of the newest `in_a_row` windows has at least. Fewer windows, or one that could not be measured
    (None), say nothing."""
    newest = windows[-in_a_row:]
    if len(newest) < in_a_row:
        return None
    each = [None if value is None else severity_of(value, bounds, inclusive=inclusive) for value in newest]
    known = [severity for severity in each if severity is not None]
    return min(known) if len(known) == len(each) else None


@dataclass(frozen=True)
class Load:
    """Busiest share of a service, 0–1, at an instant of wall time; None: it could not be measured."""

    at: datetime
    share: float | None


def stays_low(loads: Sequence[Load], now: datetime, *, below: float, lasting: timedelta) -> bool:
    """Whether the load was below the bound all the time from `now - lasting` on. Oldest first. What is not known back that far, or was
    not measured in between, is not low."""
    since = now - lasting
    before = [load for load in loads if load.at <= since]
    if not before:
        return False
    looked_at = [before[-1], *(load for load in loads if since < load.at <= now)]
    return all(load.share is not None and load.share < below for load in looked_at)


@dataclass(frozen=True)
class Health:
    """Of one part, as its probes say it. Until the first answer or `failures` faults in a row nothing is known."""

    failing: bool | None = None
    faults: int = 0
    """In a row."""
    detail: str = ""


def probed(health: Health, fault: str | None, *, failures: int, starting: bool = False) -> Health:
    """The next state: failing after `failures` faults in a row, well again at the first answer. A part that never answered yet is not
    failing while it may still be `starting`."""
    if fault is None:
        return Health(failing=False)
    faults = health.faults + 1
    waited_for = starting and health.failing is None
    return replace(health, failing=True if faults >= failures and not waited_for else health.failing, faults=faults, detail=fault)


def is_stuck(backlogs: Sequence[tuple[datetime, int]], now: datetime, *, lasting: timedelta) -> bool:
    """Whether a queue that is not empty never got shorter since `now - lasting`. Oldest first; a queue watched for less time is not stuck."""
    since = now - lasting
    start = max((at for at, count in backlogs if at <= since), default=None)
    if start is None:
        return False
    counts = [count for at, count in backlogs if at >= start]
    return min(counts) > 0 and all(later >= earlier for earlier, later in pairwise(counts))


@dataclass(frozen=True)
class Pace:
    """How often a model is checked."""

    usual: timedelta = timedelta(minutes=5)
    fast: timedelta = timedelta(seconds=30)
    fast_for: timedelta = timedelta(hours=2)


def check_every(last_monitor_action_at: datetime | None, now: datetime, pace: Pace) -> timedelta:
    """Fast in `[accepted, accepted + fast_for)` after the newest `monitor` action of the model, both by platform time; else the usual pace."""
    if last_monitor_action_at is not None and last_monitor_action_at <= now < last_monitor_action_at + pace.fast_for:
        return pace.fast
    return pace.usual
