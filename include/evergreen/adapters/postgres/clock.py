"""The platform clock: one row in Postgres, cached for at most a second."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.core.clock import ClockReading, wall_now
from evergreen.core.errors import EvergreenError

_KEEP = timedelta(seconds=1)


class PlatformClock:
    """Guarantee: every process reads the same platform time within a second of a change. Thread-safe."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._cached: tuple[datetime, ClockReading] | None = None

    def now(self) -> datetime:
        return self.reading().at(wall_now())

    def is_replaying(self) -> bool:
        return self.reading().mode == "replay"

    def reading(self) -> ClockReading:
        with self._lock:
            wall = wall_now()
            if self._cached is None or wall - self._cached[0] > _KEEP:
                self._cached = (wall, self._read())
            return self._cached[1]

    def _read(self) -> ClockReading:
        with self._store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("SELECT mode, base, set_at, rate, epoch FROM platform_clock")
            row = cursor.fetchone()
        if row is None:
            raise EvergreenError("the platform clock has no row: run `evergreen up`, which migrates the database")
        return ClockReading(*row)

    def replay_from(self, at: datetime, rate: float = 1.0) -> None:
        """Move platform time to `at` (forward only while in replay mode). Only the replay driver calls this.

        Leaving the wall clock may go back by years, and whoever still has the old reading would write actions that are never due: it returns
        when no process can have it any more."""
        if self._set("replay", at, rate) == "wall":
            threading.Event().wait(_KEEP.total_seconds())

    def follow_wall(self) -> None:
        self._set("wall", wall_now(), 1.0)

    def _set(self, mode: str, base: datetime, rate: float) -> str | None:
        """Returns the mode before."""
        with self._store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("SELECT mode, base, set_at, rate, epoch FROM platform_clock FOR UPDATE")
            row = cursor.fetchone()
            if row is not None and mode == "replay" and row[0] == "replay" and base < ClockReading(*row).at(wall_now()):
                raise EvergreenError(f"the replay clock only moves forward: it stands at {ClockReading(*row).at(wall_now()).isoformat()}")
            cursor.execute(
                "UPDATE platform_clock SET mode = %s, base = %s, set_at = %s, rate = %s, epoch = epoch + 1",
                (mode, base, wall_now(), rate),
            )
        with self._lock:
            self._cached = None
        return None if row is None else str(row[0])
