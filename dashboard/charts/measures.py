"""What a score card says of a version: its metric, how it stood against the champion of then, and whatever else was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.words import Words, named

Version = Mapping[str, Any]
CHANGE = "judged.relative"
"""No metric of the score card, but of the gates: by what share the error differs."""


def measures(versions: Sequence[Version]) -> list[str]:
    """What can be compared, the model's own metric first."""
    own = [str(one["metric"]) for one in versions]
    change = [CHANGE] if any(measured(one, CHANGE)[0] is not None for one in versions) else []
    return list(dict.fromkeys([*own, *change, *sorted({name for one in versions for name in one["metrics"]})]))


def measured(version: Version, measure: str) -> tuple[float | None, Sequence[float] | None]:
    """The value and its 95% interval, where one is known."""
    if measure == CHANGE:
        judged = version["judged"] or {}
        return judged.get("relative"), judged.get("relative_interval")
    if measure == version["metric"]:
        return version["held_out_error"], version["held_out_interval"]
    return version["metrics"].get(measure), None


def measure_name(t: Words, measure: str, metric: str) -> str:
    """`metric`: the model's own; `<metric>_<name>` is that of what it was compared with."""
    if measure == CHANGE:
        return t("models.measure.change")
    other = measure.removeprefix(f"{metric}_")
    if other != measure:
        return t("models.measure.of", metric=named(t, "names.metric", metric), name=named(t, "models.measure.compared", other))
    return t("models.axis.error", metric=named(t, "names.metric", metric)) if measure == metric else named(t, "models.measure.counted", measure)
