"""What a table looked like, in counts: enough to compare another table with it, however many rows either has.

Guarantee: the size depends on columns, cells and strata, never on rows; profiles of parts with the same cells add up to the profile of the whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from operator import add
from typing import Any

METHOD = "profile/1"
FORWARD = "forward"
"""Where a version's card holds the profile, without columns, of what was said of unseen rows."""
MOST_LABELS = 1_000
"""Of one column; the rarer ones are counted together."""


@dataclass(frozen=True)
class NumberCells:
    """Below `low`, then up to and with each of `uppers`, then above the last: what the reference never saw has cells of its own."""

    low: float | None
    """None: the reference knows no value; there is one cell."""
    uppers: tuple[float, ...] = ()
    groups: tuple[int, ...] = (0,)
    """Per cell, the coarse cell it is part of: distances are taken over these, medians and tests over the cells."""

    @property
    def size(self) -> int:
        return len(self.groups)


@dataclass(frozen=True)
class LabelCells:
    """One per label of the reference, most frequent first, then one for every other."""

    labels: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.labels) + 1


@dataclass(frozen=True)
class ColumnProfile:
    cells: NumberCells | LabelCells
    counts: tuple[tuple[int, ...], ...]
    """Rows by stratum and cell."""
    nulls: tuple[int, ...]
    """Rows by stratum whose value is not known, infinite, or no number where numbers belong."""

    @property
    def rows(self) -> tuple[int, ...]:
        """By stratum."""
        return tuple(sum(counts) + nulls for counts, nulls in zip(self.counts, self.nulls, strict=True))


@dataclass(frozen=True)
class Profile:
    rows: tuple[int, ...]
    """By stratum."""
    columns: Mapping[str, ColumnProfile]
    prediction: ColumnProfile | None = None
    """What the model says of the rows, or `forward`."""
    season: str = ""
    """What the strata are; empty: there is one."""
    forward: bool = False
    """The prediction is what models of earlier rows alone said of the later rows, as in use. What a version says of rows it was trained on
    spreads more than what it says of new ones."""

    @property
    def n(self) -> int:
        return sum(self.rows)

    def merge(self, other: Profile) -> Profile:
        """Of both tables' rows. Raises ValueError unless both count the same columns into the same cells."""
        if self.columns.keys() != other.columns.keys() or self.season != other.season or (self.prediction is None) != (other.prediction is None):
            raise ValueError("profiles of different columns or seasons do not add up")
        prediction = None if self.prediction is None or other.prediction is None else _merged(self.prediction, other.prediction)
        columns = {name: _merged(column, other.columns[name]) for name, column in self.columns.items()}
        return replace(self, rows=_sum(self.rows, other.rows), columns=columns, prediction=prediction)

    def to_json(self) -> dict[str, Any]:
        return {
            "method": METHOD,
            "season": self.season,
            "forward": self.forward,
            "rows": list(self.rows),
            "columns": {name: _column_json(column) for name, column in self.columns.items()},
            "prediction": None if self.prediction is None else _column_json(self.prediction),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Profile:
        """Raises ValueError for another method's."""
        if body.get("method") != METHOD:
            raise ValueError(f"a profile made by {body.get('method')!r}, not {METHOD}")
        prediction = None if body["prediction"] is None else _column(body["prediction"])
        columns = {name: _column(found) for name, found in body["columns"].items()}
        return cls(tuple(body["rows"]), columns, prediction, body["season"], body.get("forward", False))


@dataclass(frozen=True)
class Histogram:
    """One column in the strata's mix of another table."""

    counts: tuple[float, ...]
    nulls: float

    @property
    def known(self) -> float:
        return math.fsum(self.counts)

    @property
    def n(self) -> float:
        return self.known + self.nulls


def mixed(column: ColumnProfile, rows: Sequence[int]) -> Histogram:
    """The column as it would be with `rows` per stratum, so that a lone Sunday is compared with Sundays. The total is the number of rows a
    table without strata would need to be as certain: 1 / sum(share² / own rows). Strata without rows of either side say nothing."""
    own = column.rows
    wanted = [want if have else 0 for want, have in zip(rows, own, strict=True)]
    total = sum(wanted)
    if total == 0:
        return Histogram((0.0,) * column.cells.size, 0.0)
    shares = [want / total for want in wanted]
    certain = 1 / math.fsum(share * share / have for share, have in zip(shares, own, strict=True) if share)
    scale = [certain * share / have if have else 0.0 for share, have in zip(shares, own, strict=True)]
    cells = tuple(math.fsum(factor * count for factor, count in zip(scale, stratum, strict=True)) for stratum in zip(*column.counts, strict=True))
    return Histogram(cells, math.fsum(factor * nulls for factor, nulls in zip(scale, column.nulls, strict=True)))


def _merged(left: ColumnProfile, right: ColumnProfile) -> ColumnProfile:
    if left.cells != right.cells:
        raise ValueError("profiles with different cells do not add up")
    return ColumnProfile(left.cells, tuple(starmap(_sum, zip(left.counts, right.counts, strict=True))), _sum(left.nulls, right.nulls))


def _sum(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    return tuple(starmap(add, zip(left, right, strict=True)))


def _column_json(column: ColumnProfile) -> dict[str, Any]:
    cells = column.cells
    about = {"labels": list(cells.labels)} if isinstance(cells, LabelCells) else {"low": cells.low, "uppers": list(cells.uppers), "groups": list(cells.groups)}
    return {**about, "counts": [list(counts) for counts in column.counts], "nulls": list(column.nulls)}


def _column(body: Mapping[str, Any]) -> ColumnProfile:
    cells = LabelCells(tuple(body["labels"])) if "labels" in body else NumberCells(body["low"], tuple(body["uppers"]), tuple(body["groups"]))
    return ColumnProfile(cells, tuple(map(tuple, body["counts"])), tuple(body["nulls"]))
