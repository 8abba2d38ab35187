"""The gates' verdicts on a version as serving would answer with it: its compiled form, recorded requests, an experiment's outcome."""

from __future__ import annotations

from dataclasses import dataclass

from evergreen.contracts.events import GateResult
from evergreen.core.binomial import at_least
from evergreen.core.evaluation import gate

GOLDEN_TOLERANCE = 1e-9
MIN_GOLDEN = 50
"""One row proves nothing."""
BY_LUCK = 0.05
"""The chance from which on so much disagreement may be luck of which requests were recorded."""


@dataclass(frozen=True)
class Compiled:
    """Differences between the compiled form and the pipeline are relative to 1 + |the pipeline's word|."""

    difference: float = 0.0
    rows: int = 0
    missing: str = ""
    """Why there is none: the pipeline answers then."""


def parity(rows: int, largest_difference: float, compiled: Compiled) -> GateResult:
    """The loaded artifact says what the trained model said, and the compiled form what the artifact says."""
    loaded = rows >= MIN_GOLDEN and largest_difference <= GOLDEN_TOLERANCE
    detail = f"largest difference {largest_difference:.2g} over {rows} golden rows"
    if compiled.missing and not compiled.difference > 0:
        return gate("parity", loaded, f"{detail}; no compiled form: {compiled.missing}", rows=rows, largest_difference=largest_difference)
    same = compiled.difference <= GOLDEN_TOLERANCE
    found = f"the compiled form {'agrees' if same else 'differs by up to'} {'to ' if same else ''}{compiled.difference:.2g}"
    return gate(
        "parity",
        loaded and same,
        f"{detail}; {found}",
        rows=rows,
        largest_difference=largest_difference,
        compiled_difference=compiled.difference,
        compiled_rows=compiled.rows,
    )


@dataclass(frozen=True)
class Replayed:
    """What became of recorded requests when the candidate was asked them."""

    asked: int
    failed: int = 0
    first_failure: str = ""
    """Names the request."""
    comparable: int = 0
    """Requests whose recorded answer had an interval."""
    disagreeing: int = 0
    """Answers further from the recorded one than half its interval."""


def traffic(replayed: Replayed, *, max_disagreement: float, min_requests: int, explained: str = "") -> GateResult:
    """No recorded request may fail. More disagreement with the champion than luck explains refuses from `min_requests` on, unless `explained` says
    why it is expected."""
    if replayed.asked == 0:
        return gate("traffic", True, "no champion was asked anything yet")
    share = replayed.disagreeing / replayed.comparable if replayed.comparable else 0.0
    numbers = {"requests": replayed.asked, "failed": replayed.failed, "comparable": replayed.comparable, "disagreement": share}
    if replayed.failed:
        return gate("traffic", False, f"{replayed.failed} of {replayed.asked} recorded requests fail; {replayed.first_failure}", **numbers)
    detail = f"{replayed.asked} recorded requests answered; {share:.1%} of {replayed.comparable} differ by more than half the champion's interval"
    if replayed.comparable < min_requests:
        return gate("traffic", True, f"{detail}; too few to judge that, {min_requests} are", **numbers)
    if share > max_disagreement and explained:
        return gate("traffic", True, f"{detail}; expected: {explained}", **numbers)
    may_be_luck = at_least(replayed.disagreeing, replayed.comparable, max_disagreement) >= BY_LUCK
    bound = f"at most {max_disagreement:.0%}" + (" but for luck" if may_be_luck and share > max_disagreement else "")
    return gate("traffic", may_be_luck, f"{detail}, {bound}", **numbers)


@dataclass(frozen=True)
class ExperimentOutcome:
    """A finished experiment of a version against the champion. Relative: its benefit over the champion's, minus one; above 0 is better."""

    name: str
    n: int
    """Measured on both sides together."""
    relative: float
    low: float
    high: float
    """95 % interval."""
    groups_as_planned: bool
    """False: the groups' sizes do not fit the planned shares (sample ratio mismatch)."""


def experiment(outcome: ExperimentOutcome | None) -> GateResult:
    """Refuses what people were measurably worse served by, and an experiment whose groups were not divided as planned: its outcome says nothing."""
    if outcome is None:
        return gate("experiment", True, "none was made with this version")
    numbers = {"n": outcome.n, "relative": outcome.relative, "relative_low": outcome.low, "relative_high": outcome.high}
    found = f"{outcome.name}: {outcome.relative:+.1%} [{outcome.low:+.1%}, {outcome.high:+.1%}] over {outcome.n}"
    if not outcome.groups_as_planned:
        return gate("experiment", False, f"{found}; its groups were not divided as planned", **numbers)
    return gate("experiment", outcome.high >= 0, f"{found}, {'not worse' if outcome.high >= 0 else 'worse'} than the champion", **numbers)
