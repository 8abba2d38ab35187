"""What a process keeps in memory: bounded in number and size, least recently used out first."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Lru(Generic[K, V]):
    def __init__(self, entries: int, size: int) -> None:
        """At most so many entries whose sizes (in the caller's unit) sum up to at most `size`."""
        self._entries = entries
        self._most = size
        self._size = 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, size: int = 1) -> None:
        """What is larger than everything may be is not kept."""
        self.drop(key)
        if size > self._most:
            return
        self._kept[key] = (value, size)
        self._size += size
        while self._size > self._most or len(self._kept) > self._entries:
            _, (_, freed) = self._kept.popitem(last=False)
            self._size -= freed

    def drop(self, key: K) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._size -= found[1]

    def clear(self) -> None:
        self._kept.clear()
        self._size = 0

    def __contains__(self, key: K) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        return self._size
