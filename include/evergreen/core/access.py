"""Who may do what over HTTP: roles of a token, and what a route needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    USER = "user"
    """A person using an application; `sub` is the user's id, and only that user's data is theirs."""
    VIEWER = "viewer"
    ANALYST = "analyst"
    """Reads any user's data too."""
    OPERATOR = "operator"
    """Also acts; what was done is recorded with the subject's name."""
    SERVICE = "service"
    """An application."""


class Need(StrEnum):
    """What a route asks of its caller. Every route declares one; what declares none is denied."""

    PUBLIC = "public"
    PREDICT = "predict"
    OWN = "own"
    """A user's own data; an analyst's, operator's or service's any."""
    READ = "read"
    TELL = "tell"
    """Says what happened: feedback, jobs."""
    ACT = "act"
    METRICS = "metrics"
    """Scope service, or a caller on loopback."""


ALLOWED: Mapping[Need, frozenset[Role]] = {
    Need.PUBLIC: frozenset(Role),
    Need.PREDICT: frozenset(Role),
    Need.OWN: frozenset({Role.USER, Role.ANALYST, Role.OPERATOR, Role.SERVICE}),
    Need.READ: frozenset({Role.VIEWER, Role.ANALYST, Role.OPERATOR, Role.SERVICE}),
    Need.TELL: frozenset({Role.ANALYST, Role.OPERATOR, Role.SERVICE}),
    Need.ACT: frozenset({Role.OPERATOR}),
    Need.METRICS: frozenset({Role.SERVICE}),
}


@dataclass(frozen=True)
class Principal:
    """Whom a verified token speaks for."""

    subject: str
    roles: frozenset[Role]
    token_id: str = ""

    def may(self, need: Need) -> bool:
        return not self.roles.isdisjoint(ALLOWED[need])


ANONYMOUS = Principal("", frozenset())
