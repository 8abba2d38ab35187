"""Who may do what over HTTP: roles of a token, and what a route needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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


def by(subject: str) -> str:
    """How records name somebody who acts over HTTP."""
    return f"api:{subject}"


class Need(StrEnum):
    """What a route asks of its caller. Every route declares one; what declares none is denied."""

    PUBLIC = "public"
    SIGNED_IN = "signed_in"
    """Any token."""
    PREDICT = "predict"
    OWN = "own"
    """A user's own data; an analyst's, operator's or service's any."""
    EVERYBODYS = "everybodys"
    """Data of several users at once."""
    READ = "read"
    TELL = "tell"
    """Says what happened: feedback, jobs."""
    ACT = "act"
    METRICS = "metrics"
    """Scope service, or a caller on loopback."""


ALLOWED: Mapping[Need, frozenset[Role]] = {
    Need.PUBLIC: frozenset(Role),
    Need.SIGNED_IN: frozenset(Role),
    Need.PREDICT: frozenset(Role),
    Need.OWN: frozenset({Role.USER, Role.ANALYST, Role.OPERATOR, Role.SERVICE}),
    Need.EVERYBODYS: frozenset({Role.ANALYST, Role.OPERATOR, Role.SERVICE}),
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
    issued_at: int = 0
    expires_at: int = 0
    """Both in seconds since 1970; 0 for nobody's."""

    def may(self, need: Need) -> bool:
        return not self.roles.isdisjoint(ALLOWED[need])

    def sees(self, user_id: str) -> bool:
        """Where OWN is needed: whether that user's data is the caller's own, or a role sees everybody's."""
        return self.subject == user_id or self.may(Need.EVERYBODYS)


ANONYMOUS = Principal("", frozenset())


@dataclass(frozen=True)
class Revocations:
    """What a verified token no longer counts for."""

    tokens: frozenset[str] = frozenset()
    """Ids."""
    subjects: Mapping[str, int] = field(default_factory=dict)
    """Subject -> tokens issued up to then (seconds since 1970): those of a disabled account."""

    def cover(self, principal: Principal) -> bool:
        return principal.token_id in self.tokens or self.subjects.get(principal.subject, -1) >= principal.issued_at


class BadToken(ValueError):
    """A token that proves nothing. The message names the fault and quotes nothing of the token."""


def roles_in(scope: str) -> frozenset[Role]:
    """Of a space-separated `scope` claim. Raises BadToken for a word that is no role, and for none at all."""
    try:
        roles = frozenset(Role(word) for word in scope.split(" "))
    except ValueError:
        raise BadToken("its scope names what is no role") from None
    return roles
