"""Who is signed in. Tokens stay in this process: a browser holds a random id alone, in a cookie its scripts cannot read.

Guarantee: no token reaches a browser, no password is kept, and an id is worth nothing once its token has expired or its person signed out.
Failure: the dashboard is started again and forgets everybody. Remedy: they sign in again. A token lives for as long as serving says and is not
made anew without its person: who signs in again before it ends goes on in the same session, and every view of it with them."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event, Lock

from evergreen.core.access import Need, Principal, Role
from evergreen.core.clock import wall_now

MOST = 10_000
"""The oldest is signed out when one more comes."""


@dataclass(eq=False)
class Session:
    subject: str
    roles: frozenset[Role]
    token: str = field(repr=False)
    ends_at: datetime
    signed_out: Event = field(default_factory=Event, repr=False, compare=False)
    """Views that are open hold the session: they learn of it here."""

    @property
    def seconds_left(self) -> float:
        return (self.ends_at - wall_now()).total_seconds()

    def may(self, need: Need) -> bool:
        """What decides which pages and buttons there are; serving decides again."""
        return Principal(self.subject, self.roles).may(need)


class Sessions:
    def __init__(self) -> None:
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._lock = Lock()

    def begin(self, subject: str, roles: frozenset[Role], token: str, seconds: float) -> str:
        """An id that is not guessed: 256 bits."""
        found, now = secrets.token_urlsafe(32), wall_now()
        with self._lock:
            self._open[found] = Session(subject, roles, token, now + timedelta(seconds=seconds))
            while len(self._open) > MOST:
                self._open.popitem(last=False)[1].signed_out.set()
        return found

    def renew(self, session: Session, roles: frozenset[Role], token: str, seconds: float) -> None:
        """The same person has signed in again."""
        with self._lock:
            session.roles, session.token, session.ends_at = roles, token, wall_now() + timedelta(seconds=seconds)

    def of(self, session_id: str | None) -> Session | None:
        with self._lock:
            found = self._open.get(session_id or "")
            if found is not None and found.ends_at <= wall_now():
                del self._open[session_id or ""]
                return None
        return found

    def end(self, session_id: str | None) -> None:
        with self._lock:
            found = self._open.pop(session_id or "", None)
        if found is not None:
            found.signed_out.set()
