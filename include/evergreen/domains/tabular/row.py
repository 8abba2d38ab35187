"""One row's cells as the model's numbers, without pandas: serving asks with this, and training's table says the same of the same row (tested)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evergreen.core.codes import coded, text_of
from evergreen.domains.tabular.declared import Category, Declared

NAN = float("nan")
DAY, AT = "day", "at"
"""Silver's own columns: day and instant of a row, in UTC."""
_TRUTH = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
Reading = Callable[[Any], float]


def number_of(value: Any) -> float:
    """NaN for what is no finite number. A truth value is 1 or 0, a text counts as what it says."""
    if value is None:
        return NAN
    if isinstance(value, str):
        text = value.strip()
        if (truth := _TRUTH.get(text.lower())) is not None:
            return truth
        if "_" in text:  # Python's own spelling, nobody else's
            return NAN
    else:
        text = value
    try:
        number = float(text)
    except (TypeError, ValueError, OverflowError):
        return NAN
    return number if abs(number) < float("inf") else NAN


def code_of(category: Category) -> Reading:
    """A value's code: its place among the declared ones, one more for any other; a whole number is its own. A number is a code already."""
    if category.whole:
        return number_of
    codes = {value: float(at) for at, value in enumerate(category.values)}
    return lambda value: number_of(coded(value, codes))


def readings(declared: Declared) -> Mapping[str, Reading]:
    """By feature, in the model's order."""
    return {**{one.name: number_of for one in declared.numbers}, **{one.name: code_of(one) for one in declared.categories}}


def row_of(request: Mapping[str, Any], by_feature: Mapping[str, Reading]) -> dict[str, float]:
    return {name: read(request.get(name)) for name, read in by_feature.items()}


def label_of(declared: Declared, outcome: Mapping[str, Any]) -> float:
    """The target of `POST /feedback`: a number, or 1 for the second class and 0 for the first. Raises ValueError."""
    value = outcome.get(declared.target.name)
    if declared.classes:
        text = text_of(value)
        if text not in declared.classes:
            raise ValueError(f"{declared.target.name} must be one of {', '.join(declared.classes)}, not {value!r}")
        return float(declared.classes.index(text))
    number = NAN if isinstance(value, bool) else number_of(value)
    if number != number:
        raise ValueError(f"{declared.target.name} must be a number, not {value!r}")
    return number


def silver_columns(declared: Declared) -> dict[str, str]:
    """With their pandas types."""
    numbers = {one.name: "float64" for one in (declared.target, *declared.numbers)}
    return {DAY: "datetime64[us]", AT: "datetime64[us, UTC]", declared.entity.name: "str", **numbers, **{one.name: "str" for one in declared.categories}}
