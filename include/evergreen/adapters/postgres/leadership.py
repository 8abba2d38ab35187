"""One leader among the copies of a worker: a session's advisory lock, which Postgres releases when the session ends, however it ends. And one turn at
a time of what any of them may do: a transaction's."""

from __future__ import annotations

import select
from contextlib import suppress

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import structlog

log = structlog.get_logger(__name__)


class Leadership:
    """Guarantee: at most one session holds a name. Failure: the leader hangs or its connection breaks unseen, so two lead for a moment.
    Remedy: whatever a leader does is safe to do twice. Used by one thread."""

    def __init__(self, dsn: str, name: str, *, listen: str | None = None) -> None:
        self._dsn = dsn
        self._name = name
        self._listen = listen
        self._connection: psycopg2.extensions.connection | None = None
        self._leads = False

    def hold(self) -> bool:
        """Take or keep the lead; False while another has it or Postgres is away."""
        try:
            return self._try()
        except psycopg2.Error as error:
            if self._leads:
                log.warning("lead_lost", leader=self._name, error=str(error).strip())
            self.close()
            return False

    def _try(self) -> bool:
        if self._connection is None:
            self._connection = psycopg2.connect(self._dsn, connect_timeout=5, application_name=f"evergreen-{self._name}")
            self._connection.autocommit = True
            if self._listen:
                with self._connection.cursor() as cursor:
                    cursor.execute(f"LISTEN {self._listen}")
        with self._connection.cursor() as cursor:
            if self._leads:
                cursor.execute("SELECT 1")  # the lock lives as long as this session
                return True
            cursor.execute("SELECT pg_try_advisory_lock(hashtext('leader:' || %s))", (self._name,))
            self._leads = cursor.fetchone() == (True,)
        if self._leads:
            log.info("leads", leader=self._name)
        return self._leads

    def wait(self, seconds: float) -> None:
        """Until somebody notifies, or the time is over."""
        if self._connection is None:
            return
        try:
            if select.select([self._connection], [], [], seconds)[0]:
                self._connection.poll()
                self._connection.notifies.clear()
        except (psycopg2.Error, OSError, ValueError):
            self.close()

    def close(self) -> None:
        self._leads = False
        if self._connection is not None:
            with suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None


def wait_turn(connection: psycopg2.extensions.connection, name: str, seconds: float) -> bool:
    """Whether this transaction got the only turn of that name, which it has until it ends; False: another has it for longer than `seconds`, and the
    transaction can do no more."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", (f"{seconds * 1000:.0f}",))
        try:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('turn:' || %s))", (name,))
        except psycopg2.errors.LockNotAvailable:
            return False
    return True
