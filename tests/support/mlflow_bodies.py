"""Requests of MLflow's scoring protocol, ordinary and odd: what is sent to `mlflow models serve` and to a worker alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

JSON, CSV = "application/json", "text/csv"


class Request(NamedTuple):
    body: bytes
    kind: str | None = JSON


class Bodies:
    """For a model with these features. `rows`: real ones, None = not known; at least two."""

    def __init__(self, names: Sequence[str], rows: Sequence[Sequence[float | None]]) -> None:
        self.names, self.rows = list(names), [list(row) for row in rows]
        self.row, self.first, self.last = self.rows[0], self.names[0], self.names[-1]

    def same(self) -> Mapping[str, Request]:
        """Answered and refused alike."""
        json_bodies = {**self._split(), **self._records(), **self._instances(), **self._inputs(), **self._whole()}
        return {name: Request(_bytes(body)) for name, body in json_bodies.items()} | self._texts() | self._csv() | self._kinds()

    def different(self) -> Mapping[str, tuple[Request, int, int]]:
        """Request, MLflow's status, ours: what docs/guides/scoring.md says we do otherwise."""
        split = {"columns": self.names, "data": [self.row]}
        return {
            "no content type": (Request(_bytes({"dataframe_split": split}), None), 500, 415),
            "nested too deeply": (Request(b"[" * 100_000), 500, 400),
            "a number of 5000 digits": (Request(b'{"inputs": ' + b"9" * 5000 + b"}"), 500, 400),
            "an object as a column name": (Request(_bytes({"dataframe_split": {**split, "columns": [*self.names[1:], {}]}})), 500, 400),
            "an index that is longer than the rows": (Request(_bytes({"dataframe_split": {**split, "index": [1, 2]}})), 200, 400),
            "a question to a language model that has our columns": (Request(_bytes({**self._record(), "prompt": "x"})), 200, 400),
            "data as an object of columns": (Request(_bytes({"dataframe_split": {**split, "data": self._columns()}})), 200, 400),
            "parquet": (Request(b"PAR1", "application/vnd.apache.parquet"), 400, 415),
        }

    def _record(self, **cells: Any) -> dict[str, Any]:
        return dict(zip(self.names, self.row, strict=True)) | cells

    def _cell(self, value: Any) -> list[Any]:
        """The first row with another value in its last cell."""
        return [*self.row[:-1], value]

    def _columns(self, **columns: Any) -> dict[str, Any]:
        return {name: list(values) for name, values in zip(self.names, zip(*self.rows, strict=True), strict=True)} | columns

    def _split(self) -> dict[str, Any]:
        def split(data: Any, columns: Any = None, **more: Any) -> dict[str, Any]:
            return {"dataframe_split": {"columns": self.names if columns is None else columns, "data": data, **more}}

        cells: dict[str, Any] = {
            "an integer": 22, "true": True, "text of a number": "17", "text of no number": "abc", "empty text": "", "null": None,
            "text with spaces": " 17 ",
            "text nan": "nan", "text inf": "-inf", "a list": [1], "an object": {"a": 1}, "an integer beyond 64 bits": 2**70,
            "an integer beyond doubles": 10**400,
        }  # fmt: skip
        return {
            "split: one row": split([self.row]),
            "split: all rows": split(self.rows),
            "split: other order": split([self.row[::-1]], self.names[::-1]),
            "split: an extra column": split([[*self.row, "x"]], [*self.names, "extra"]),
            "split: an extra column twice": split([[*self.row, 1, 2]], [*self.names, "extra", "extra"]),
            "split: a column twice": split([[*self.row, 1]], [*self.names, self.first]),
            "split: a missing column": split([self.row[1:]], self.names[1:]),
            "split: a short row": split([self.row, self.row[:3]]),
            "split: all rows short": split([self.row[:3]]),
            "split: a long row": split([[*self.row, 1]]),
            "split: no rows": split([]),
            "split: an empty row": split([[]]),
            "split: null as a row": split([self.row, None]),
            "split: objects as rows": split([self._record()]),
            "split: with an index": split([self.row], index=[7]),
            "split: another key": split([self.row], other=1),
            "split: no data": {"dataframe_split": {"columns": self.names}},
            "split: no columns": {"dataframe_split": {"data": [self.row]}},
            "split: a list": {"dataframe_split": [1]},
            "split: null": {"dataframe_split": None},
            "split: a number as column name": split([[*self.row, 1]], [*self.names, 5]),
            **{f"split: {what} in a cell": split([self._cell(value)]) for what, value in cells.items()},
            "split: text and number in a column": split([self._cell("17"), self._cell(17)]),
        }

    def _records(self) -> dict[str, Any]:
        lacking = {name: value for name, value in self._record().items() if name != self.last}
        lists: dict[str, list[Any]] = {
            "one": [self._record()],
            "a key missing in one": [lacking, self._record()],
            "a key missing in all": [lacking],
            "an extra key": [self._record(extra={"a": 1})],
            "none": [],
            "an empty one": [{}],
            "lists": [self.row],
            "text for a number": [self._record(**{self.last: "5"})],
            "a list in a cell": [self._record(**{self.last: [5]})],
            "a number among them": [self._record(), 5],
        }
        return {f"records: {what}": {"dataframe_records": records} for what, records in lists.items()} | {"records: an object": {"dataframe_records": {}}}

    def _instances(self) -> dict[str, Any]:
        given: dict[str, Any] = {
            "two": [self._record(), self._record(**{self.last: 3})],
            "text of a number": [self._record(**{self.last: "3"})],
            "text of no number": [self._record(**{self.last: "abc"})],
            "null in a cell": [self._record(**{self.last: None})],
            "a list in a cell": [self._record(**{self.last: [1]})],
            "a key missing in one": [self._record(), {self.first: 1}],
            "an extra key": [self._record(extra="a")],
            "an extra key in one": [self._record(extra="a"), self._record()],
            "lists": [self.row],
            "lists of different lengths": [[1], [1, 2]],
            "by column": self._columns(),
            "by column, unequal": self._columns(**{self.last: [1] * 9}),
            "none": [],
            "a number": 5,
            "text": "abc",
            "a number among them": [self._record(), 5],
        }
        return {f"instances: {what}": {"instances": value} for what, value in given.items()}

    def _inputs(self) -> dict[str, Any]:
        given: dict[str, Any] = {
            "by column": self._columns(),
            "one of each": self._record(),
            "a value for every row": self._columns(**{self.last: 3}),
            "unequal": self._columns(**{self.last: [1] * 9}),
            "an extra column": self._columns(extra=["q"] * len(self.rows)),
            "an extra column, unequal": self._columns(extra=["q"]),
            "an extra value": self._columns(extra="q"),
            "one of each and an extra value": self._record(extra=1),
            "nested": self._columns(**{self.last: [[1]] * len(self.rows)}),
            "empty columns": {name: [] for name in self.names},
            "by row": [self._record(), self._record()],
            "by row, a key missing in one": [self._record(), {}],
            "a missing column": {self.first: [1]},
            "text of no number": self._columns(**{self.last: ["x"] * len(self.rows)}),
            "lists": [self.row],
            "none": {},
        }
        return {f"inputs: {what}": {"inputs": value} for what, value in given.items()}

    def _whole(self) -> dict[str, Any]:
        split = {"dataframe_split": {"columns": self.names, "data": [self.row]}}
        return {
            "two formats": {**split, "instances": [self._record()]},
            "no format": {},
            "another key beside": {**split, "other": 1},
            "params": {**split, "params": {"a": 1}},
            "params that are none": {**split, "params": [1]},
            "a language model's": {"prompt": "hello"},
            "a list": [1],
            "a number": 5,
            "null": None,
        }

    def _texts(self) -> dict[str, Request]:
        body = _bytes({"dataframe_split": {"columns": self.names, "data": [self.row]}})
        texts = {
            "nothing": b"", "half an object": b"{", "line ends after it": body + b"\r\n\n", "more after it": body + b"x", 
            "utf-16": body.decode().encode("utf-16"),
            "a byte order mark": b"\xef\xbb\xbf" + body, "not utf-8": b'{"a": "\xff"}', "a key twice": b'{"dataframe_split": 1, ' + body[1:],
            "NaN": body.replace(b"null", b"NaN", 1), "infinity": body.replace(b"null", b"Infinity", 1), "1e999": body.replace(b"null", b"1e999", 1),
        }  # fmt: skip
        return {f"text: {what}": Request(text) for what, text in texts.items()}

    def _csv(self) -> dict[str, Request]:
        header, line = ",".join(self.names), ",".join(_field(value) for value in self.row)
        cell: Callable[[str], str] = lambda text: ",".join([*line.split(",")[:-1], text])  # noqa: E731 - a word for one expression
        texts = {
            "one row": f"{header}\n{line}\n", "no line end": f"{header}\n{line}", "crlf": f"{header}\r\n{line}\r\n", "blank lines": f"\n{header}\n\n{line}\n\n",
            "quoted": ",".join(f'"{name}"' for name in self.names) + f"\n{line}", "not known": f"{header}\n{cell('NA')}\n{cell('null')}\n{cell('')}",
            "truth": f"{header}\n{cell('True')}", "text": f"{header}\n{cell('abc')}", "spaces": f"{header}\n{cell(' 17 ')}", "inf": f"{header}\n{cell('-inf')}",
            "nothing": "", "header alone": f"{header}\n", "a short row": f"{header}\n1,2", "a nameless first column": f"{header}\n9,{line}",
            "a long later row": f"{header}\n{line}\n{line},5", 
            "a column twice": f"{header},{self.first}\n{line},3", "an extra column": f"{header},extra\n{line},한글",
            "a missing column": f"{','.join(self.names[1:])}\n{line.partition(',')[2]}", "an open quote": f'{header}\n{cell(chr(34) + "17")}',
            "a byte order mark": f"\ufeff{header}\n{line}", "semicolons": f"{header}\n{line}".replace(",", ";"),
        }  # fmt: skip
        return {f"csv: {what}": Request(text.encode(), CSV) for what, text in texts.items()} | {"csv: not utf-8": Request(b"\xff", CSV)}

    def _kinds(self) -> dict[str, Request]:
        body = _bytes({"dataframe_split": {"columns": self.names, "data": [self.row]}})
        kinds = [
            "application/json; charset=UTF-8",
            "application/json; charset=latin-1",
            "application/json; x=1",
            "application/json;",
            "Application/JSON",
            "text/plain",
        ]
        return {f"content type {kind}": Request(body, kind) for kind in kinds}


def _bytes(body: Any) -> bytes:
    return json.dumps(body).encode()


def _field(value: float | None) -> str:
    return "" if value is None else repr(value)
