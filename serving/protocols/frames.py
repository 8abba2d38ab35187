"""What a request says, as the matrix a model is asked with: a row per question, the model's columns in its order, NaN for not known.

Without pandas: plain lists go straight into one array of doubles. What a cell may be is what pandas and numpy turn into a double: a number, a
truth value, null, or text that reads as a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from evergreen.core.codes import coded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

_ORDERS = 64
"""Other orders of the columns that are remembered: each client has one."""
_SAID = 60
"""Characters of a request's own words that an error repeats."""


class Unusable(ValueError):
    """The request cannot be answered. Its text is for the caller: our own words."""


class Unreadable(Unusable):
    """It is not what the protocol calls a request."""


class Mismatched(Unusable):
    """It is a well-formed request for another model."""


class Frames:
    """Of one model. Imports numpy when it is made."""

    def __init__(self, names: Sequence[str], codes: Mapping[str, Mapping[str, float]] | None = None) -> None:
        """`codes`: of the columns whose cells may be texts."""
        import numpy

        self.names = tuple(names)
        self.known = frozenset(names)
        self.width = len(self.names)
        self.columns = list(names)
        self.codes = codes or {}
        self._orders: dict[tuple[str, ...], list[int]] = {}
        self._numpy = numpy

    def of_rows(self, columns: Sequence[Any], rows: Sequence[Sequence[Any]]) -> Matrix:
        """`rows`: each as long as `columns`, which come in any order, perhaps with others. Raises Unusable."""
        if columns == self.columns:
            return self._filled(self._matrix(rows, self.columns))
        order = self._order(columns)
        if order is not None:
            return self._filled(self._matrix(_picked(rows, order), self.columns))
        found = [at for at, column in enumerate(columns) if _hashable(column) in self.known]
        picked = [columns[at] for at in found]
        matrix = self._matrix(_picked(rows, found), picked)  # before what is missing: a cell that is no number is the first thing said
        self.require(picked)
        if len(picked) != self.width:
            raise Mismatched(f"a column is given twice: {listed(sorted({name for name in picked if picked.count(name) > 1}))}")
        places = [picked.index(name) for name in self.names]
        return self._filled(matrix[:, places])

    def _order(self, columns: Sequence[Any]) -> list[int] | None:
        """Where each of the model's columns is, if these are they in another order."""
        if len(columns) != self.width or not all(isinstance(column, str) for column in columns):
            return None
        key = tuple(columns)
        order = self._orders.get(key)
        if order is None and self.known == set(key):
            if len(self._orders) >= _ORDERS:
                self._orders.clear()
            order = self._orders[key] = [key.index(name) for name in self.names]
        return order

    def of_columns(self, columns: Mapping[str, Matrix | float]) -> Matrix:
        """`columns`: of equal lengths; a single number stands for every row."""
        self.require(columns)
        return self._filled(self._numpy.column_stack(self._numpy.broadcast_arrays(*[self._numpy.atleast_1d(columns[name]) for name in self.names])))

    def numbers(self, values: Any, what: str = "a value") -> Matrix:
        """Any nesting of lists as an array of doubles. Raises Unreadable."""
        try:
            return self._numpy.array(values, dtype=self._numpy.float64)
        except OverflowError as error:
            raise Unreadable(f"{what} is beyond all doubles") from error
        except (ValueError, TypeError, RecursionError) as error:
            raise Unreadable(f"{what} is neither a number nor null") from error

    def column(self, name: str, values: Any) -> Matrix:
        """One column's values, or the one that stands for every row. Raises Unreadable."""
        if name in self.codes:
            values = [self.cell(name, value) for value in values] if isinstance(values, list) else self.cell(name, values)
        return self.numbers(values, f"a value of column {name!r}")

    def cell(self, name: str, value: Any) -> Any:
        """Of a column that has codes: a text as its code."""
        return coded(value, self.codes[name])

    def rounded(self, values: Matrix, kind: str) -> Matrix:
        """To the precision of a smaller type."""
        with self._numpy.errstate(over="ignore"):
            return values.astype(kind).astype(self._numpy.float64)

    def require(self, columns: Any) -> None:
        """Raises Mismatched when a column of the model is not among them."""
        if missing := [name for name in self.names if name not in columns]:
            raise Mismatched(f"missing columns: {listed(missing)}; the model asks for {self.width}")

    def _matrix(self, rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> Matrix:
        if self.codes:
            rows = [[self.cell(name, value) if name in self.codes else value for name, value in zip(columns, row, strict=True)] for row in rows]
        try:
            matrix = self._numpy.array(rows, dtype=self._numpy.float64)
        except (ValueError, TypeError, OverflowError, RecursionError):
            for at, name in enumerate(columns):  # which one?
                if self.numbers([row[at] for row in rows], f"a value of column {name!r}").ndim != 1:
                    raise Unreadable(f"a value of column {name!r} is a list") from None
            raise Unreadable("a row is no list of numbers") from None
        if matrix.ndim == 2 or not len(rows):
            return matrix.reshape(len(rows), len(columns))
        raise Unreadable("a value is a list")

    def _filled(self, matrix: Matrix) -> Matrix:
        if not len(matrix):
            raise Unreadable("there are no rows")
        return matrix


def _picked(rows: Sequence[Sequence[Any]], places: Sequence[int]) -> list[Sequence[Any]]:
    if len(places) < 2:
        return [[row[at] for at in places] for row in rows]
    pick = itemgetter(*places)
    return [pick(row) for row in rows]


def _hashable(column: Any) -> Any:
    return column if isinstance(column, str) else None


def listed(names: Sequence[Any]) -> str:
    """At most a few, each shortened."""
    shown = ", ".join(repr(name)[:_SAID] for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
