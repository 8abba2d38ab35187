"""When a person is asked, and on which terms."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from evergreen.core.approval import Answered, ApprovalTerms, terms_of

FOUR_HOURS = timedelta(hours=4)


def test_without_terms_nobody_is_asked() -> None:
    assert terms_of({"forced": True}) is None


@pytest.mark.parametrize(
    ("given", "terms"),
    [
        pytest.param({"timeout_seconds": 600, "default": "approve"}, ApprovalTerms(timedelta(minutes=10), "approve"), id="approve-by-default"),
        pytest.param({"timeout_seconds": 0.5, "default": "reject"}, ApprovalTerms(timedelta(seconds=0.5), "reject"), id="reject-by-default"),
        pytest.param({"timeout_seconds": 600}, ApprovalTerms(timedelta(minutes=10), "reject"), id="no-default-rejects"),
        pytest.param({"timeout_seconds": -1, "default": "maybe"}, ApprovalTerms(FOUR_HOURS, "reject"), id="nonsense-asks-all-the-same"),
        pytest.param({"timeout_seconds": 1e12, "default": "approve"}, ApprovalTerms(FOUR_HOURS, "approve"), id="for-ever-is-not-a-time-out"),
        pytest.param({"timeout_seconds": float("nan")}, ApprovalTerms(FOUR_HOURS, "reject"), id="nan"),
        pytest.param({"timeout_seconds": True}, ApprovalTerms(FOUR_HOURS, "reject"), id="true-is-no-number"),
        pytest.param("manual", ApprovalTerms(FOUR_HOURS, "reject"), id="not-an-object"),
        pytest.param(False, ApprovalTerms(FOUR_HOURS, "reject"), id="present-is-present"),
    ],
)
def test_terms_that_cannot_be_read_never_mean_that_nobody_is_asked(given: Any, terms: ApprovalTerms) -> None:
    assert terms_of({"approval": given}) == terms


@pytest.mark.parametrize(
    ("answered", "words"),
    [
        pytest.param(Answered("approve", "person", "kim"), "approved by kim", id="approved"),
        pytest.param(Answered("reject", "person", "kim", "holiday"), "rejected by kim: holiday", id="with-its-reason"),
        pytest.param(Answered("reject", "default"), "rejected by default: nobody answered in time", id="default"),
        pytest.param(Answered("approve", "auto"), "approved automatically", id="auto"),
    ],
)
def test_an_answer_says_who_gave_it_and_why(answered: Answered, words: str) -> None:
    assert str(answered) == words
