"""Whether a person is asked before an action is carried out, and what his answer means.

The policy puts `approval` into an action's params: `{"timeout_seconds": 14400, "default": "reject"}`; without it nobody is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

PARAM = "approval"
AnswerWord = Literal["approve", "reject"]
How = Literal["person", "default", "auto"]
"""A person answered; nobody did in time, so the default holds; nobody was to be asked (`airflow dags test`)."""

LONGEST = timedelta(days=7)
_FALLBACK = timedelta(hours=4)


@dataclass(frozen=True)
class ApprovalTerms:
    timeout: timedelta
    default: AnswerWord


@dataclass(frozen=True)
class Question:
    """`body` is Markdown."""

    subject: str
    body: str
    terms: ApprovalTerms


@dataclass(frozen=True)
class Answered:
    answer: AnswerWord
    how: How
    who: str = ""
    comment: str = ""

    @property
    def approved(self) -> bool:
        return self.answer == "approve"

    def __str__(self) -> str:
        verb = "approved" if self.approved else "rejected"
        by = {"person": f"by {self.who}", "default": "by default: nobody answered in time", "auto": "automatically"}[self.how]
        return f"{verb} {by}{f': {self.comment}' if self.comment else ''}"


def terms_of(params: Mapping[str, Any]) -> ApprovalTerms | None:
    """None: nobody is asked. Terms that cannot be read ask all the same, and without an answer nothing changes."""
    given = params.get(PARAM)
    if given is None:
        return None
    facts = given if isinstance(given, Mapping) else {}
    return ApprovalTerms(_timeout(facts.get("timeout_seconds")), "approve" if facts.get("default") == "approve" else "reject")


def _timeout(seconds: object) -> timedelta:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST.total_seconds():
        return _FALLBACK
    return timedelta(seconds=seconds)
