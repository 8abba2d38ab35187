"""The question in Airflow's UI ("Required Actions") and its answer.

The claiming task asks by itself: an action without terms costs no further process, and one with terms parks the task without any. Under
`airflow dags test` nobody could answer, and the run would wait for ever: there the answer is given at once and recorded as `auto`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param
from airflow.sdk.exceptions import TaskAwaitingInput
from airflow.sdk.execution_time.hitl import upsert_hitl_detail

from evergreen.core.approval import Answered, AnswerWord, Question

if TYPE_CHECKING:
    from airflow.sdk import Context

OPTIONS: dict[str, AnswerWord] = {"Approve": "approve", "Reject": "reject"}
COMMENT = "comment"
AUTOMATIC = Answered("approve", "auto", who="airflow dags test")


def put_question(context: Context, question: Question) -> None:
    """Visible from now on; it may be answered before the task is parked."""
    comment = Param(None, type=["null", "string"], maxLength=500, title="Why", description="Recorded with the answer.")
    default = next(option for option, word in OPTIONS.items() if word == question.terms.default)
    upsert_hitl_detail(
        ti_id=context["ti"].id,
        options=list(OPTIONS),
        subject=question.subject,
        body=question.body,
        defaults=[default],
        params={COMMENT: comment.serialize()},
    )


def parked(question: Question, method: str, claim: Mapping[str, Any]) -> TaskAwaitingInput:
    """Raised by the task: it ends now, and `method` goes on with the answer (or, when time is up, with the default)."""
    return TaskAwaitingInput(method_name=method, kwargs={"claim": dict(claim)}, timeout=question.terms.timeout)


def read_answer(event: Mapping[str, Any]) -> Answered:
    """What Airflow hands back. Nothing else than a chosen "Approve" approves."""
    chosen = event.get("chosen_options") or []
    word: AnswerWord = "approve" if chosen == ["Approve"] else "reject"
    user = event.get("responded_by_user")
    if event.get("timedout") or user is None:
        return Answered(word, "default")
    comment = (event.get("params_input") or {}).get(COMMENT)
    return Answered(word, "person", who=str(user.get("name") or user.get("id")), comment=str(comment or "").strip())
