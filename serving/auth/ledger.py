"""What one worker let through itself lately, a number a second."""

from __future__ import annotations

from collections import deque


class Ledger:
    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._rows: deque[tuple[int, int]] = deque()
        self._total = 0

    def add(self, at: float, amount: int) -> None:
        self._prune(at)
        if amount > 0:
            self._total += amount
            if self._rows and self._rows[-1][0] >= int(at):
                second, before = self._rows.pop()
                self._rows.append((second, before + amount))
            else:
                self._rows.append((int(at), amount))

    def total(self, now: float) -> int:
        self._prune(now)
        return self._total

    def wait(self, now: float, missing: int) -> float:
        """Until that much has passed out of memory."""
        freed = 0
        for second, amount in self._rows:
            freed += amount
            if freed >= max(missing, 1):
                return max(second + self._seconds - now, 0.0)
        return float(self._seconds)

    def _prune(self, now: float) -> None:
        while self._rows and self._rows[0][0] <= now - self._seconds:
            self._total -= self._rows.popleft()[1]
