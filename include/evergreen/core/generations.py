"""What makes everything old that a process keeps of a kind: a counter per kind, raised in the database, followed by every process."""

from __future__ import annotations

from collections.abc import Mapping

FEATURES = "features"
"""Raised when stored features have changed."""


def predictions(model: str) -> str:
    """Raised when an operator wants the cached answers of a model gone."""
    return f"predictions:{model}"


class Generations:
    """As one process knows them, a second behind at most."""

    def __init__(self) -> None:
        self._found: dict[str, int] = {}
        self.changes = 0
        """Rises with every change of any of them."""

    def follow(self, found: Mapping[str, int]) -> None:
        if found != self._found:
            self._found = dict(found)
            self.changes += 1

    def of(self, kind: str) -> int:
        return self._found.get(kind, 0)
