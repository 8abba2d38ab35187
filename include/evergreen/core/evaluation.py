"""The gates' verdicts on measured numbers, and what a score card says. Fail closed: a number that is missing or not finite fails its gate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from evergreen.contracts.events import GateResult


@dataclass(frozen=True)
class Interval:
    """A point estimate with its 95 % bootstrap interval."""

    point: float
    low: float
    high: float
    spread: float = math.nan
    """Standard deviation over the resamples."""

    def __str__(self) -> str:
        return f"{self.point:+.1%} [{self.low:+.1%}, {self.high:+.1%}]"


@dataclass(frozen=True)
class Segment:
    name: str
    n: int
    worse_by: float
    """The candidate's relative drop against the reference on these rows."""


def gate(name: str, passed: bool, detail: str, **numbers: float) -> GateResult:
    finite = {key: float(value) for key, value in numbers.items() if math.isfinite(value)}
    if len(finite) < len(numbers):
        unknown = ", ".join(sorted(set(numbers) - set(finite)))
        return GateResult(name=name, passed=False, detail=f"{detail}; not a number: {unknown}", numbers=finite)
    return GateResult(name=name, passed=passed, detail=detail, numbers=finite)


def held_out(evaluation_first: date, trained_to: Mapping[str, date]) -> GateResult:
    """Neither version may have been trained on a day of the window both are measured on."""
    seen = [f"{name} was trained to {last}" for name, last in trained_to.items() if last >= evaluation_first]
    detail = "; ".join(seen) or f"the window from {evaluation_first} is new to both"
    return gate("held_out", not seen, detail)


def enough_rows(n: int, at_least: int) -> GateResult:
    return gate("rows", n >= at_least, f"{n} labelled rows, {at_least} needed", n=n, needed=at_least)


def sane_predictions(n: int, finite: int, spread: float) -> GateResult:
    """Finite everywhere, and not the same number for every row."""
    passed = n > 0 and finite == n and spread > 1e-9
    detail = f"{n - finite} of {n} not finite" if finite < n else "the same prediction for every row" if spread <= 1e-9 else f"spread {spread:.3f}"
    return gate("predictions", passed, detail, n=n, finite=finite, spread=spread)


def better(relative: Interval, candidate: float, reference: float, *, margin: float, min_improvement: float, measure: str = "error") -> GateResult:
    """Non-inferiority plus improvement. `relative`: the candidate's relative drop against the reference; below zero is better. `measure`: what the
    two numbers are, for the words."""
    passed = relative.high < margin and relative.point <= -min_improvement
    if relative.high >= margin:
        why = f"may be worse: the upper bound is not below {margin:+.1%}"
    else:
        why = "better" if passed else f"not better by {min_improvement:.1%}"
    detail = f"{measure} {candidate:.4f} against {reference:.4f}: {relative}, {why}"
    return gate(
        "improvement",
        passed,
        detail,
        candidate=candidate,
        reference=reference,
        relative=relative.point,
        relative_low=relative.low,
        relative_high=relative.high,
        margin=margin,
        min_improvement=min_improvement,
    )


def segments(measured: Sequence[Segment], *, margin: float, min_rows: int) -> GateResult:
    """The point estimate counts: on Korea's lists an interval would let more bad segments through than it spares good models (models guide)."""
    counted = [segment for segment in measured if segment.n >= min_rows]
    worse = [segment for segment in counted if not segment.worse_by <= margin]
    numbers = {f"segment_{segment.name}": segment.worse_by for segment in counted}
    detail = "; ".join(f"{segment.name} ({segment.n} rows) worse by {segment.worse_by:.1%}" for segment in worse)
    return gate("segments", not worse, detail or f"none of {len(counted)} segments worse by more than {margin:.0%}", **numbers)


def coverage(measured: float, low: float, high: float) -> GateResult:
    passed = low <= measured <= high
    return gate("coverage", passed, f"{measured:.1%} of the outcomes in the interval, {low:.0%}–{high:.0%} asked", coverage=measured, low=low, high=high)


def bounded(name: str, measured: float, bound: float, unit: str) -> GateResult:
    return gate(name, measured <= bound, f"{measured:.3g} {unit}, at most {bound:g}", measured=measured, bound=bound)


@dataclass(frozen=True)
class Scorecard:
    """What evaluation found; stored with the version, sent as `model_evaluation_completed`."""

    model_version: str
    reference: str
    """`name@N` of the champion, or the name of the trivial method (`median`) where there is none."""
    gates: tuple[GateResult, ...]
    first_day: date | None = None
    last_day: date | None = None
    n: int = 0
    errors: tuple[float, ...] = ()
    """The candidate's own on held-out rows: the baseline its performance is compared with later."""
    rows_after_as_of: int = 0
    expected: float = 0.0
    """What the candidate's intervals let one expect of it on those rows, before any outcome; 0: not known."""

    @property
    def approved(self) -> bool:
        """Every gate passed, and there was at least one."""
        return bool(self.gates) and all(result.passed for result in self.gates)

    @property
    def failed(self) -> tuple[str, ...]:
        return tuple(result.name for result in self.gates if not result.passed)

    def to_json(self) -> dict[str, Any]:
        return {
            "model_version": self.model_version,
            "reference": self.reference,
            "approved": self.approved,
            "window": None if self.first_day is None else {"first_day": str(self.first_day), "last_day": str(self.last_day)},
            "n": self.n,
            "gates": [result.model_dump(mode="json") for result in self.gates],
            "baseline_errors": [round(error, 6) for error in self.errors],
            "baseline_expected": round(self.expected, 6) if math.isfinite(self.expected) else 0.0,
            "rows_after_as_of": self.rows_after_as_of,
        }
