"""MLflow's four JSON forms with all the liberties pandas and numpy take: cells of any kind, short rows, scalars that stand for every row,
columns the model does not know. Slower than the typed way of `mlflow_scoring`, and what decides when a body does not fit there."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from serving.protocols.frames import Frames, Mismatched, Unreadable, listed

if TYPE_CHECKING:
    from serving.protocols.frames import Matrix

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
CHAT = ("input", "messages", "prompt")
"""Of language models: MLflow takes a body with one of them for a question to one."""
_SPLIT = frozenset({"columns", "data", "index"})
_MAX_DEPTH = 32


class Forms:
    """Of one model's requests."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._forms: Mapping[str, Callable[[Any], Matrix]] = {
            "dataframe_split": self._split,
            "dataframe_records": self._records,
            "instances": self._instances,
            "inputs": self._inputs,
        }

    def read(self, body: bytes) -> Matrix:
        """Raises Unusable."""
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError too
            raise Unreadable("the body is not JSON") from error
        if not isinstance(asked, dict):
            raise Unreadable(f"the body must be a JSON object with one of {listed(FORMATS)}")
        if chat := [name for name in CHAT if name in asked]:
            raise Mismatched(f"{listed(chat)} is for language models; this one asks for columns")
        given = [name for name in FORMATS if name in asked]
        if len(given) != 1:
            raise Unreadable(f"the body must hold exactly one of {listed(FORMATS)}; it holds {listed(given) if given else 'none'}")
        return self._forms[given[0]](asked[given[0]])

    def _split(self, split: Any) -> Matrix:
        if not isinstance(split, dict) or "data" not in split or split.keys() - _SPLIT:
            raise Unreadable("dataframe_split must be an object with `data` and, if need be, `columns` and `index`, nothing else")
        columns, rows, index = split.get("columns"), split["data"] or [], split.get("index")
        if not isinstance(rows, list) or (not all(isinstance(row, list) for row in rows) and not all(isinstance(row, dict) for row in rows)):
            raise Unreadable("`data` of dataframe_split must be a list of rows")
        if index is not None and (not isinstance(index, list) or len(index) != len(rows)):
            raise Unreadable("`index` of dataframe_split must be a list as long as `data`")
        if rows and isinstance(rows[0], dict):
            return self._named(rows, columns)
        width = max(map(len, rows), default=None)
        if columns is None:
            raise Mismatched("dataframe_split has no `columns`: the model asks for named ones")
        if not isinstance(columns, list) or any(isinstance(column, dict | list) for column in columns):
            raise Unreadable("`columns` of dataframe_split must be a list of names")
        if width is not None and width != len(columns):
            raise Unreadable(f"dataframe_split has {len(columns)} columns, and rows of {width} values")
        return self._frames.of_rows(columns, [row if len(row) == width else row + [None] * (len(columns) - len(row)) for row in rows])

    def _records(self, records: Any) -> Matrix:
        if not isinstance(records, list):
            raise Unreadable("dataframe_records must be a list of objects")
        if not records or not isinstance(records[0], dict):
            if all(isinstance(record, list) for record in records) or not isinstance(records[0], list):
                raise Mismatched("dataframe_records must be a list of objects: the model asks for named columns")
        elif all(isinstance(record, dict) for record in records):
            return self._named(records, None)
        raise Unreadable("dataframe_records must be a list of objects, all of them")

    def _named(self, records: Sequence[Mapping[str, Any]], columns: Sequence[str] | None) -> Matrix:
        """A column is there when any record has it."""
        there = [name for name in self._frames.names if (name in columns if columns is not None else any(name in record for record in records))]
        return self._frames.of_rows(there, [[record.get(name) for name in there] for record in records])

    def _instances(self, given: Any) -> Matrix:
        if not (isinstance(given, list) and given and isinstance(given[0], dict)):
            return self._columns(given, equal=True) if isinstance(given, dict) else self._inputs(given)
        if not all(isinstance(record, dict) for record in given):
            raise Unreadable("instances must be objects, all of them")
        cells: dict[str, list[Any]] = {}
        for record in given:
            for name, value in record.items():
                cells.setdefault(name, []).append(value)
        return self._columns(cells, equal=True)

    def _inputs(self, given: Any) -> Matrix:
        if isinstance(given, dict):
            return self._columns(given)
        if isinstance(given, list) and given and all(isinstance(record, dict) for record in given):
            return self._cells(given)
        if isinstance(given, list) and given and self._frames.width == 1 and not any(isinstance(record, dict) for record in given):
            return self._columns({self._frames.names[0]: given})
        self._frames.numbers(given)
        raise Mismatched("the values have no names: the model asks for named columns")

    def _columns(self, columns: Mapping[str, Any], *, equal: bool = False) -> Matrix:
        """By name, a list per column or a value for every row. `equal`: of different lengths is not even a request."""
        known = {name: self._numbers(name, value) for name, value in columns.items() if name in self._frames.known}
        others = [_shape(value) for name, value in columns.items() if name not in self._frames.known]
        lengths = {len(values) for values in known.values() if values.ndim}
        if equal and len(lengths) > 1:
            raise Unreadable("the columns have different numbers of values")
        self._frames.require(known)
        if any(values.ndim > 1 for values in known.values()):
            raise Mismatched("a value is a list: the model asks for numbers")
        lengths |= {shape[0] for shape in others if shape}
        if len(lengths) > 1 or (others and not lengths):
            raise Mismatched("the columns have different numbers of values")
        [rows] = lengths or {1}
        return self._frames.of_columns({name: values if values.ndim else values.repeat(rows) for name, values in known.items()})

    def _cells(self, records: Sequence[Mapping[str, Any]]) -> Matrix:
        """By row, each cell on its own."""
        nested = [(name, value) for record in records for name, value in record.items() if isinstance(value, list)]
        for name, value in nested:
            if name in self._frames.known:
                self._numbers(name, value)
            else:
                _shape(value)
        flat = self._named([{name: None if isinstance(value, list) else value for name, value in record.items()} for record in records], None)
        if any(name in self._frames.known for name, _ in nested):
            raise Mismatched("a value is a list: the model asks for numbers")
        return flat

    def _numbers(self, name: str, value: Any) -> Matrix:
        return self._frames.column(name, value)


def _shape(value: Any, depth: int = 0) -> tuple[int, ...]:
    """Of what the model does not look at: only that it is regular. Raises Unreadable."""
    if not isinstance(value, list):
        return ()
    if depth > _MAX_DEPTH:
        raise Unreadable("a value is nested too deeply")
    shapes: Collection[tuple[int, ...]] = {_shape(item, depth + 1) for item in value}
    if len(shapes) > 1:
        raise Unreadable("a value is a list of lists of different lengths")
    return (len(value), *next(iter(shapes), ()))
