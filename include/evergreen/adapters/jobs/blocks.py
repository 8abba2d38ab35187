"""A file of lines in blocks that end where a row ends, each a checkpoint. Memory: a block, whatever the file holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

MAX_ROW_BYTES = 2**20
_QUOTE, _NEWLINE = b'"', b"\n"


class Block(NamedTuple):
    body: bytes
    end: int
    """Offset of the next block."""
    whole: bool = True
    """False: a quote in it is never closed; its lines are to be read one by one."""
    too_long: bool = False
    """A row of more than MAX_ROW_BYTES: it was passed over, `body` is empty."""


def blocks(path: Path, begin: int, size: int, *, quotes: bool) -> Iterator[Block]:
    """`quotes`: a line break within double quotes ends no row."""
    with path.open("rb", buffering=0) as file:
        at = begin
        while block := _next(file, at, size, quotes=quotes):
            yield block
            at = block.end


def _next(file: BinaryIO, at: int, size: int, *, quotes: bool) -> Block | None:
    file.seek(at)
    body = _read(file, size)
    if not body:
        return None
    last = len(body) < size
    cut, whole = _cut(body, quotes=quotes, last=last)
    if (cut == 0 or not whole) and size < MAX_ROW_BYTES and not last:
        body += _read(file, MAX_ROW_BYTES - size)
        cut, whole = _cut(body, quotes=quotes, last=len(body) < MAX_ROW_BYTES)
    if cut == 0:
        return Block(b"", _after_line(file, at), too_long=True)
    return Block(body[:cut], at + cut, whole)


def _read(file: BinaryIO, size: int) -> bytes:
    """Less only at the end of the file."""
    body = file.read(size)
    while len(body) < size and (more := file.read(size - len(body))):
        body += more
    return body


def _cut(body: bytes, *, quotes: bool, last: bool) -> tuple[int, bool]:
    """(bytes up to the last row's end, whether quotes are closed there); 0: no row ends here."""
    if last:
        return len(body), not quotes or body.count(_QUOTE) % 2 == 0
    end = body.rfind(_NEWLINE) + 1
    if not quotes or not end:
        return end, True
    open_quotes, at = body.count(_QUOTE, 0, end) % 2, end
    while open_quotes and end - at < MAX_ROW_BYTES:
        before = body.rfind(_NEWLINE, 0, at - 1) + 1
        open_quotes ^= body.count(_QUOTE, before, at) % 2
        at = before
        if not at:
            break
    return (at, True) if at and not open_quotes else (end, False)


def _after_line(file: BinaryIO, at: int) -> int:
    file.seek(at)
    while piece := _read(file, MAX_ROW_BYTES):
        found = piece.find(_NEWLINE)
        if found >= 0:
            return at + found + 1
        at += len(piece)
    return at


def count_lines(path: Path, begin: int = 0) -> int:
    """Rows, if none holds a line break or is empty."""
    lines, last = 0, _NEWLINE
    with path.open("rb", buffering=0) as file:
        file.seek(begin)
        while piece := _read(file, MAX_ROW_BYTES):
            lines += piece.count(_NEWLINE)
            last = piece[-1:]
    return lines + (last != _NEWLINE)
