"""The four severities, in order. Evidence can only raise one (see policy)."""

from __future__ import annotations

from enum import IntEnum


class Severity(IntEnum):
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        return self.name.lower()

    @classmethod
    def parse(cls, word: object) -> Severity:
        """Case-insensitive; missing, null or unknown means medium."""
        return cls.__members__.get(str(word).strip().upper(), cls.MEDIUM)
