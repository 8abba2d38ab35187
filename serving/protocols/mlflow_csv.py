"""A CSV body as `pandas.read_csv` reads it: header first, blank lines skipped, quotes doubled, a short row filled up, leading columns without
a name taken for an index. Numbers are read exactly; pandas leaves out what follows
the seventeenth digit."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from io import StringIO
from math import nan
from typing import TYPE_CHECKING

from serving.protocols.frames import Frames, Unreadable

if TYPE_CHECKING:
    from serving.protocols.frames import Matrix

_NOT_KNOWN = frozenset(
    {
        "",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    }
)
"""pandas' own list."""
_NUMBER = re.compile(r"[\t-\r ]*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)[\t-\r ]*", re.ASCII | re.IGNORECASE)
_BOOLEANS = {"true": 1.0, "false": 0.0}
_PLAIN = re.compile(r"[0-9.eE+\-\t-\r ]*")
"""Made of these, what `float` reads pandas reads too, and the other way round."""
_END = "\x00end"


def read_csv(body: bytes, frames: Frames) -> Matrix:
    """Raises Unusable."""
    try:
        rows = list(_rows(body.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise Unreadable("the CSV is not UTF-8") from error
    except csv.Error as error:
        raise Unreadable("the body cannot be read as CSV") from error
    if not rows:
        raise Unreadable("the CSV is empty: its first line names the columns")
    header, *lines = rows
    width = max(len(header), len(lines[0]) if lines else 0)
    if longer := next((at for at, line in enumerate(lines, 1) if len(line) > width), None):
        raise Unreadable(f"row {longer} of the CSV has {len(lines[longer - 1])} fields, not {width}")
    place = {name: at + width - len(header) for at, name in reversed(list(enumerate(header)))}  # of a name given twice the first counts
    cells = {name: [line[place[name]] if place[name] < len(line) else "" for line in lines] for name in frames.names if name in place}
    columns = {name: _codes(name, given, frames) if name in frames.codes else _numbers(name, given) for name, given in cells.items()}
    frames.require(columns)
    return frames.of_rows(frames.columns, list(zip(*columns.values(), strict=True)))


def _rows(text: str) -> Iterator[list[str]]:
    """Raises csv.Error, for an open quote at the end too: it swallows the line added there."""
    lines = StringIO(text, newline=None)
    last: list[str] = []
    for row in csv.reader(_ended(lines)):
        last = row
        if row and row != [_END] and not (len(row) == 1 and row[0].isspace()):
            yield row
    if last != [_END]:
        raise csv.Error("open quote")


def _ended(lines: StringIO) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else line + "\n"
    yield _END


def _codes(name: str, cells: Sequence[str], frames: Frames) -> list[float]:
    return [nan if cell in _NOT_KNOWN or (code := frames.cell(name, cell)) is None else code for cell in cells]


def _numbers(name: str, cells: Sequence[str]) -> list[float]:
    known = [cell for cell in cells if cell not in _NOT_KNOWN]
    try:
        if _PLAIN.fullmatch("".join(known)) or all(_NUMBER.fullmatch(cell) for cell in known):
            return [nan if cell in _NOT_KNOWN else float(cell) for cell in cells]
    except ValueError:
        pass
    else:
        if all(cell.lower() in _BOOLEANS for cell in known):
            return [nan if cell in _NOT_KNOWN else _BOOLEANS[cell.lower()] for cell in cells]
    raise Unreadable(f"a value of column {name!r} is no number")
