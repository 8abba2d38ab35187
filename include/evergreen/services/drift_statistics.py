"""From two profiles to evidence: histograms by the reference's own cells and a test for each comparison.

Every column is compared, whatever is in it: empty, constant, absent and unreadable columns become findings, never exceptions. Without
strata the reference is compared as it is; with them in the mix of seasons the current rows have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evergreen.core.drift import MATERIAL, MIN_ROWS, Compared, DriftSummary, Evidence, js_distance, judge
from evergreen.core.drift_profile import ColumnProfile, Histogram, LabelCells, NumberCells, Profile, mixed
from evergreen.services.drift_profiles import counted, reference_profile

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.ports.model import Season

_RARE = 0.01
_EXPECTED = 2.0
"""Rows a category must make expect of the current window to be tested by itself: below, chi-square alarms too often."""
Values = NDArray[np.float64]


def compare_tables(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    features: Sequence[str],
    categorical: Collection[str] = (),
    weights: Mapping[str, float] | None = None,
    predictions: tuple[Values, Values] | None = None,
    season: Season | None = None,
) -> DriftSummary:
    """What comparing the profiles of both says. `predictions`: what the watched model says of the rows of either side."""
    old, new = predictions or (None, None)
    before = reference_profile(reference, features, categorical, season, old)
    return compare_profiles(before, counted(current, before, season, new), features, weights)


def compare_profiles(reference: Profile, current: Profile, features: Sequence[str], weights: Mapping[str, float] | None = None) -> DriftSummary:
    """`current`: counted in the reference's cells. Its prediction is judged with the features and no part of the score."""
    compared = [_compare(name, reference, current, reference.columns.get(name), current.columns.get(name)) for name in features]
    if reference.prediction is not None and current.prediction is not None:
        said = _compare("prediction", reference, current, reference.prediction, current.prediction)
        compared.append(replace(said, watched=False))
    summary = judge(compared, weights)
    return replace(summary, n_reference=reference.n, n_current=current.n)


def _compare(name: str, reference: Profile, current: Profile, old: ColumnProfile | None, new: ColumnProfile | None) -> Compared:
    n_new = current.n
    if old is None:
        return Compared(name, reference.n, n_new, findings=("not in the reference",))
    n_old = sum(old.rows)
    comparable = [rows if there else 0 for rows, there in zip(current.rows, old.rows, strict=True)]
    before = mixed(old, comparable)
    findings = [] if sum(comparable) == n_new else [f"{n_new - sum(comparable)} rows of a season the reference does not know"]
    if min(n_old, sum(comparable)) < MIN_ROWS:
        few = f"too few rows to conclude: {n_old} against {sum(comparable)}, {MIN_ROWS} needed"
        return Compared(name, n_old, n_new, findings=(few, *findings))
    if new is None:
        gone = Evidence(name, "missing_column", 1.0, 0.0, "schema", "the column is gone")
        return Compared(name, n_old, n_new, (gone,), ("not in the current window",))
    after = _whole(new, comparable)
    evidence = [*_nulls(name, before, after)]
    if min(before.known, after.known) > 0:
        shape = _categories(name, old.cells, old, before, after) if isinstance(old.cells, LabelCells) else _shape(name, old.cells, old, before, after)
        evidence += [*shape]
    return Compared(name, n_old, n_new, tuple(evidence), (*_findings(old.cells, before, after), *findings))


def _whole(column: ColumnProfile, rows: Sequence[int]) -> Histogram:
    """Of the strata that can be compared."""
    kept = [at for at, count in enumerate(rows) if count]
    return Histogram(
        tuple(float(sum(column.counts[at][cell] for at in kept)) for cell in range(column.cells.size)), float(sum(column.nulls[at] for at in kept))
    )


def _nulls(name: str, before: Histogram, after: Histogram) -> Iterator[Evidence]:
    """Only more of them than before: values that are known again harm nobody."""
    if after.nulls / after.n <= before.nulls / before.n:
        return
    direction = f"not known: {_percent(before.nulls, before.n)} -> {_percent(after.nulls, after.n)}"
    counts = [[round(before.nulls), round(before.known)], [round(after.nulls), round(after.known)]]
    p_value = float(stats.fisher_exact(counts).pvalue)
    yield Evidence(name, "nulls", js_distance((before.nulls, before.known), (after.nulls, after.known)), p_value, "fisher", direction)


def _shape(name: str, cells: NumberCells, column: ColumnProfile, before: Histogram, after: Histogram) -> Iterator[Evidence]:
    old, new = np.array(before.counts), np.array(after.counts)
    groups = np.array(cells.groups)
    distance = js_distance(np.bincount(groups, weights=old).tolist(), np.bincount(groups, weights=new).tolist())
    furthest = float(np.abs(np.cumsum(old) / before.known - np.cumsum(new) / after.known).max())
    rows = max(round(before.known * after.known / (before.known + after.known)), 1)
    p_value = float(stats.kstwo.sf(furthest, rows))
    yield Evidence(name, "distribution", distance, p_value, "kolmogorov_smirnov", _tendency(cells, old, new))
    outside = int(new[0] + new[-1])
    if outside and cells.low is not None:
        detail = f"outside {cells.low:.4g} to {cells.uppers[-1]:.4g}: {_percent(outside, after.known)}"
        own = sum(counts[0] + counts[-1] for counts in column.counts)  # of parts that were added
        yield _unseen(name, "out_of_range", outside, round(after.known), 2 + own, _known(column), detail)


def _categories(name: str, cells: LabelCells, column: ColumnProfile, before: Histogram, after: Histogram) -> Iterator[Evidence]:
    old, new = np.array(before.counts), np.array(after.counts)
    common = old >= max(_RARE * before.known, 1)
    common[-1] = False
    left, right = ([*counts[common].tolist(), float(counts[~common].sum())] for counts in (old, new))
    moved = int(np.argmax(np.abs(new / after.known - old / before.known)[:-1]))
    direction = f"{cells.labels[moved]}: {_percent(old[moved], before.known)} -> {_percent(new[moved], after.known)}"
    tested = common & (old * after.known / before.known >= _EXPECTED)
    p_value = _chi_square(*([*counts[tested].tolist(), float(counts[~tested].sum())] for counts in (old, new)))
    yield Evidence(name, "distribution", js_distance(left, right), p_value, "chi_square", direction)
    unseen = int(new[-1])
    if unseen:
        seen = np.sum(column.counts, axis=0)
        once, rest = int((seen[:-1] == 1).sum()), int(seen[-1])
        yield _unseen(name, "new_values", unseen, round(after.known), max(once, 1) + rest, _known(column), f"new values: {_percent(unseen, after.known)}")


def _unseen(name: str, kind: Any, unseen: int, n: int, expected: int, of: int, direction: str) -> Evidence:
    """Against the share a reference of this size leaves unseen: its two ends of a range, its categories seen once (Good-Turing)."""
    chance = min(expected / (of + 1), 1.0)
    distance = 0.0 if unseen / n <= chance else js_distance([chance * of, (1 - chance) * of], [unseen, n - unseen])
    return Evidence(name, kind, distance, float(stats.binom.sf(unseen - 1, n, chance)), "binomial", direction)


def _chi_square(left: Sequence[float], right: Sequence[float]) -> float:
    counts = np.array([left, right])[:, [a + b > 0 for a, b in zip(left, right, strict=True)]]
    return 1.0 if counts.shape[1] < 2 else float(stats.chi2_contingency(counts, correction=False).pvalue)


def _tendency(cells: NumberCells, old: Values, new: Values) -> str:
    medians = f"median {_median(cells, old):.4g} -> {_median(cells, new):.4g}"
    below = np.cumsum(old) - old / 2
    # Cliff's delta: how much more often a new value is the larger one than the smaller one of a pair.
    delta = 2 * float((new * below).sum()) / float(new.sum() * old.sum()) - 1.0
    return f"{'higher' if delta > 0.1 else 'lower' if delta < -0.1 else 'other shape'}: {medians}"


def _median(cells: NumberCells, counts: Values) -> float:
    """Of the cell that holds it, its upper end: the value itself where there are few, else within a percentile of it."""
    at = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    ends = (float(cells.low or 0.0), *cells.uppers)
    return ends[min(at, len(ends) - 1)]


def _findings(cells: NumberCells | LabelCells, before: Histogram, after: Histogram) -> Iterator[str]:
    for side, found in (("reference", before), ("current", after)):
        if found.known == 0:
            yield f"empty in the {side} window"
        elif found.nulls == 0 and _is_constant(cells, found):
            yield f"constant in the {side} window"
    if before.nulls / before.n > after.nulls / after.n and js_distance((before.nulls, before.known), (after.nulls, after.known)) >= MATERIAL:
        yield f"known again: {_percent(before.nulls, before.n)} -> {_percent(after.nulls, after.n)} not known"


def _is_constant(cells: NumberCells | LabelCells, found: Histogram) -> bool:
    return max(found.counts) == found.known


def _known(column: ColumnProfile) -> int:
    return sum(map(sum, column.counts))


def _percent(part: Any, whole: float) -> str:
    return f"{part / whole:.1%}"
