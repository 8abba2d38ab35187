"""A copy of the seen index in this process: one byte per bit of a layer, in which bit d stands for a day, so that seven days are read at once.

Eight days are kept, so a day's place in the byte is its number modulo eight. 1.4 MB for the first layer, whatever the number of days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from struct import unpack
from typing import TYPE_CHECKING

from evergreen.core.seen_window import KEPT_DAYS, Layer, layer, salts, window_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_BYTES = 16 * 2**20
"""More layers than this holds (three: 700,000 items a day) are left to Redis."""
_ALL_DAYS = 0xFF


@dataclass(frozen=True)
class Day:
    version: str
    bitmaps: tuple[bytes, ...]
    """By layer, as Redis holds them: the lowest position in the lowest bit."""


@dataclass(frozen=True)
class BloomCopy:
    """Never changed: a newer one takes its place."""

    version: str = ""
    """It holds at least everything that the index of this version does. Empty: it can tell nothing."""
    floor: date = date.max
    """Nothing is known of days before."""
    days: Mapping[date, str] = field(default_factory=dict)
    """Those it holds -> their versions. Of other days from `floor` on there are no items."""
    layers: tuple[bytearray, ...] = ()

    def mask(self, today: date, window: int) -> int | None:
        """For `maybe`; None: it cannot tell of these days."""
        wanted = window_of(today, window)
        if not self.version or wanted[-1] < self.floor:
            return None
        return sum(_place(day) for day in wanted if day in self.days)

    def maybe(self, item: str, mask: int) -> bool:
        if not mask:
            return False
        key = item.encode()
        for index, bits in enumerate(self.layers):
            of, found = layer(index), mask
            width, start = of.bits_per_slice, 0
            for first, salted in salts(of.slices):
                digest = salted.copy()
                digest.update(key)
                for word in unpack(_WORDS[digest.digest_size], digest.digest())[: of.slices - first]:
                    found &= bits[start + word % width]
                    if not found:
                        break
                    start += width
                if not found:
                    break
            if found:
                return True
        return False

    def maybe_many(self, items: Sequence[str], mask: int) -> list[bool]:
        """The same for many, with numpy."""
        import numpy as np

        found = np.zeros(len(items), bool)
        for index, bits in enumerate(self.layers):
            of = layer(index)
            view = np.frombuffer(bits, np.uint8)
            held = view[_places(items, of)]
            found |= np.bitwise_and.reduce(held, axis=1) & np.uint8(mask) != 0
        answers: list[bool] = found.tolist()
        return answers

    def renewed(self, version: str, floor: date, days: Mapping[date, str], read: Mapping[date, Day]) -> BloomCopy:
        """`days`: all of the new copy; `read`: those of them to put in anew. Takes milliseconds: not for the event loop."""
        needed = max([len(self.layers), *(len(day.bitmaps) for day in read.values())])
        gone = sum(_place(day) for day in self.days if day not in days or day in read)
        layers = [_with(self.layers[at] if at < len(self.layers) else None, at, gone, read) for at in range(needed)]
        return BloomCopy(version, floor, dict(days), tuple(layers))


_WORDS = {48: "<12I", 64: "<16I"}


def fits(layers: int) -> bool:
    return sum(layer(index).bits for index in range(layers)) <= MAX_BYTES


def holdable(days: Mapping[date, int], newest: date) -> bool:
    """Each has a place of its own."""
    return all(0 <= (newest - day).days < KEPT_DAYS for day in days) and fits(max(days.values(), default=1))


def _place(day: date) -> int:
    return 1 << day.toordinal() % KEPT_DAYS


def _with(before: bytearray | None, index: int, gone: int, read: Mapping[date, Day]) -> bytearray:
    """A layer's bytes without the days that are gone and with those read."""
    import numpy as np

    of = layer(index)
    made = bytearray(of.bits) if before is None else bytearray(before)
    view = np.frombuffer(made, np.uint8)
    if gone and before is not None:
        view &= np.uint8(_ALL_DAYS & ~gone)
    for day, found in read.items():
        if index < len(found.bitmaps):
            held = np.unpackbits(np.frombuffer(found.bitmaps[index], np.uint8), count=of.bits, bitorder="little")
            view |= held << np.uint8(day.toordinal() % KEPT_DAYS)
    return made


def _places(items: Sequence[str], of: Layer) -> NDArray[np.int64]:
    """(items, slices): positions in the layer's bytes."""
    import numpy as np

    columns = []
    for first, salted in salts(of.slices):
        digests = bytearray()
        for item in items:
            digest = salted.copy()
            digest.update(item.encode())
            digests += digest.digest()
        words = np.frombuffer(digests, "<u4").reshape(len(items), -1)[:, : of.slices - first]
        columns.append(words % np.uint32(of.bits_per_slice) + (np.arange(first, first + words.shape[1]) * of.bits_per_slice).astype(np.int64))
    return np.concatenate(columns, axis=1)
