"""From two feature tables to evidence: histograms by the reference's own cells and a test for each comparison.

Every column is compared, whatever is in it: empty, constant, absent and unreadable columns become findings, never exceptions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from evergreen.core.drift import MIN_ROWS, Compared, DriftSummary, Evidence, js_distance, judge

MAX_ROWS = 100_000
"""Of each side; more are sampled, which the summary says."""
_BINS = 10
_FEW_VALUES = 20
_RARE = 0.01
Values = NDArray[np.float64]


def compare_tables(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    features: Sequence[str],
    categorical: Collection[str] = (),
    weights: Mapping[str, float] | None = None,
    predictions: tuple[Values, Values] | None = None,
) -> DriftSummary:
    """`predictions`: what the watched model says of the rows of `reference` and of `current`; judged with the features, not part of the score."""
    old, new = _sampled(reference), _sampled(current)
    compared = [compare_feature(name, old.get(name), new.get(name), len(old), len(new), categorical=name in categorical) for name in features]
    if predictions is not None:
        said = compare_feature("prediction", pd.Series(predictions[0]), pd.Series(predictions[1]), len(predictions[0]), len(predictions[1]))
        compared.append(replace(said, watched=False))
    summary = judge(compared, weights)
    sampled = {side: len(kept) for side, kept, whole in (("reference", old, reference), ("current", new, current)) if len(kept) < len(whole)}
    return replace(summary, n_reference=len(reference), n_current=len(current), sampled=sampled)


def compare_feature(name: str, old: pd.Series[Any] | None, new: pd.Series[Any] | None, n_old: int, n_new: int, *, categorical: bool = False) -> Compared:
    if old is None:
        return Compared(name, n_old, n_new, findings=("not in the reference",))
    if new is None:
        gone = Evidence(name, "missing_column", 1.0, 0.0, "schema", "the column is gone")
        return Compared(name, n_old, n_new, (gone,), ("not in the current window",))
    if min(n_old, n_new) < MIN_ROWS:
        return Compared(name, n_old, n_new, findings=(f"too few rows to conclude: {n_old} against {n_new}, {MIN_ROWS} needed",))
    left, right = _codes(old, new) if categorical else (_numbers(old), _numbers(new))
    x, y = left[~np.isnan(left)], right[~np.isnan(right)]
    evidence = [*_nulls(name, left, right)]
    if min(len(x), len(y)) > 0:
        evidence += [*_categories(name, old, x, y)] if categorical else [*_shape(name, x, y)]
    return Compared(name, n_old, n_new, tuple(evidence), tuple(_findings(left, right, x, y)))


def _sampled(rows: pd.DataFrame) -> pd.DataFrame:
    return rows if len(rows) <= MAX_ROWS else rows.sample(MAX_ROWS, random_state=0)


def _numbers(column: pd.Series[Any]) -> Values:
    """Infinity and what is no number count as not known."""
    values = pd.to_numeric(column, errors="coerce").astype("float64").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _codes(old: pd.Series[Any], new: pd.Series[Any]) -> tuple[Values, Values]:
    """Both sides' values as codes of one list of categories, the reference's first; NaN stays NaN."""
    labelled = [_labelled(column) for column in (old, new)]
    known = list(dict.fromkeys([*sorted(set(labelled[0][1])), *sorted(set(labelled[1][1]))]))
    code = {label: float(at) for at, label in enumerate(known)}
    left, right = (np.array([*(code[label] for label in labels), np.nan])[places] for places, labels in labelled)
    return left, right


def _labelled(column: pd.Series[Any]) -> tuple[NDArray[np.intp], list[str]]:
    """(place of each value in the labels, -1 = not known; labels): a label is made once per value, not once per row."""
    try:
        places, values = pd.factorize(column, use_na_sentinel=True)
    except TypeError:  # lists and the like have no hash; their text has
        places, values = pd.factorize(column.map(str, na_action="ignore"), use_na_sentinel=True)
    return places, [_label(value) for value in values.tolist()]


def _label(value: object) -> str:
    """20 and 20.0 are the same category."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _nulls(name: str, left: Values, right: Values) -> Iterator[Evidence]:
    gone = [int(np.isnan(side).sum()) for side in (left, right)]
    if not any(gone):
        return
    counts = [[gone[0], len(left) - gone[0]], [gone[1], len(right) - gone[1]]]
    p_value = float(stats.fisher_exact(counts).pvalue)
    yield Evidence(name, "nulls", js_distance(*counts), p_value, "fisher", f"not known: {_percent(gone[0], len(left))} -> {_percent(gone[1], len(right))}")


def _shape(name: str, x: Values, y: Values) -> Iterator[Evidence]:
    values = np.unique(x)
    edges = values[:-1] if len(values) <= _FEW_VALUES else np.unique(np.quantile(x, np.linspace(0, 1, _BINS + 1)[1:-1]))
    distance = js_distance(_histogram(np.searchsorted(edges, x), len(edges) + 1), _histogram(np.searchsorted(edges, y), len(edges) + 1))
    p_value = float(stats.ks_2samp(x, y, method="asymp").pvalue)
    yield Evidence(name, "distribution", distance, p_value, "kolmogorov_smirnov", _tendency(x, y))
    outside = int(((y < values[0]) | (y > values[-1])).sum())
    if outside:
        detail = f"outside {values[0]:.4g} to {values[-1]:.4g}: {_percent(outside, len(y))}"
        yield _unseen(name, "out_of_range", outside, len(y), 2, len(x), detail)


def _categories(name: str, old: pd.Series[Any], x: Values, y: Values) -> Iterator[Evidence]:
    size = int(max(x.max(), y.max())) + 1
    before, after = np.bincount(x.astype(int), minlength=size), np.bincount(y.astype(int), minlength=size)
    common = before >= max(_RARE * len(x), 1)
    left, right = ([*counts[common].tolist(), float(counts[~common].sum())] for counts in (before, after))
    labels = sorted(set(_labelled(old)[1]))
    moved = int(np.argmax(np.abs(after / len(y) - before / len(x))[: len(labels)]))
    direction = f"{labels[moved]}: {_percent(before[moved], len(x))} -> {_percent(after[moved], len(y))}"
    yield Evidence(name, "distribution", js_distance(left, right), _chi_square(left, right), "chi_square", direction)
    unseen = int(after[before == 0].sum())
    if unseen:
        once = int((before == 1).sum())
        yield _unseen(name, "new_values", unseen, len(y), max(once, 1), len(x), f"new values: {_percent(unseen, len(y))}")


def _unseen(name: str, kind: Any, unseen: int, n: int, expected: int, of: int, direction: str) -> Evidence:
    """Against the share a reference of this size leaves unseen: its two ends of a range, its categories seen once (Good-Turing)."""
    chance = min(expected / (of + 1), 1.0)
    distance = js_distance([chance * of, (1 - chance) * of], [unseen, n - unseen])
    return Evidence(name, kind, distance, float(stats.binom.sf(unseen - 1, n, chance)), "binomial", direction)


def _chi_square(left: Sequence[float], right: Sequence[float]) -> float:
    counts = np.array([left, right])[:, [a + b > 0 for a, b in zip(left, right, strict=True)]]
    return 1.0 if counts.shape[1] < 2 else float(stats.chi2_contingency(counts, correction=False).pvalue)


def _histogram(cells: NDArray[np.intp], size: int) -> list[float]:
    return [float(count) for count in np.bincount(cells, minlength=size)]


def _tendency(x: Values, y: Values) -> str:
    medians = f"median {np.median(x):.4g} -> {np.median(y):.4g}"
    ordered, asked = np.sort(x), np.sort(y)  # looking sorted values up is much faster
    # Cliff's delta: how much more often a new value is the larger one than the smaller one of a pair.
    delta = float((np.searchsorted(ordered, asked, side="left") + np.searchsorted(ordered, asked, side="right")).mean()) / len(x) - 1.0
    return f"{'higher' if delta > 0.1 else 'lower' if delta < -0.1 else 'other shape'}: {medians}"


def _findings(left: Values, right: Values, x: Values, y: Values) -> Iterator[str]:
    for side, whole, known in (("reference", left, x), ("current", right, y)):
        if len(known) == 0:
            yield f"empty in the {side} window"
        elif len(known) == len(whole) and np.ptp(known) == 0:
            yield f"constant in the {side} window"


def _percent(part: Any, whole: int) -> str:
    return f"{part / whole:.1%}"
