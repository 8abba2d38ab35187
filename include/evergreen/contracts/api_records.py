"""The loop's records over HTTP: pages of events, decisions and actions, one of them whole, and why. Times are platform time unless they say *wall*."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from evergreen.contracts.actions import ActionKind, ActionStatus, SeverityWord
from evergreen.contracts.api import Body, Instant

ModelFilter = Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]{0,63}|-)$", description="`-`: what concerns no model")]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,63}$")]
Printable = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]
PAGE = 100


class Page(Body):
    """Unknown parameters are refused: a mistyped filter must not look like one that matched everything."""

    since: Instant | None = Field(default=None, description="From then on, included (RFC 3339 with a zone)")
    until: Instant | None = Field(default=None, description="Before then")
    limit: Annotated[int, Field(ge=1, le=PAGE)] = 50
    cursor: Annotated[str | None, Field(max_length=500, description="`next_cursor` of the page before")] = None


class EventFilter(Page):
    type: Word | None = None
    subject: Printable | None = Field(default=None, description="Dataset, model, service …")
    source: Printable | None = Field(default=None, description="Who said it, for example `/airflow/drift_check`")


class DecisionFilter(Page):
    model: ModelFilter | None = None
    event_type: Word | None = None
    outcome: Word | None = Field(default=None, description="Of the first answer: accepted, absorbed, suppressed, stale, ignored …")
    severity: SeverityWord | None = None
    skip_ignored: bool | None = Field(default=None, description="True: without those on which nothing was to be done")
    action: ActionKind | None = Field(default=None, description="Decisions that answered with this action, whatever became of it")


class ActionFilter(Page):
    model: ModelFilter | None = None
    kind: ActionKind | None = None
    status: ActionStatus | None = None


class EventRecord(Body):
    id: str
    source: str
    type: str
    subject: str
    time: AwareDatetime
    data: dict[str, Any]
    message: str | None = Field(description="`topic[partition]@offset`; null for one made here (the tick)")
    received_at: AwareDatetime = Field(description="Wall time")


class EventPage(Body):
    events: list[EventRecord]
    next_cursor: str | None


class AnswerShort(Body):
    action: str
    target: str
    outcome: str
    stopped_by: str | None = Field(description="The guard that stopped it or put it off")


class DecisionSummary(Body):
    model: str
    seq: int
    event_type: str
    event_id: str
    decided_at: AwareDatetime
    severity: str
    rule: str
    outcome: str
    policy_hash: str
    answers: list[AnswerShort] = Field(description="What was answered, in order; why, says the decision whole")


class DecisionPage(Body):
    decisions: list[DecisionSummary]
    next_cursor: str | None


class DecisionRecord(DecisionSummary):
    event_source: str
    recorded_at: AwareDatetime = Field(description="Wall time")
    body: dict[str, Any] = Field(description="As it was recorded: severity path, every answer with every guard, the state that was looked at")
    prev_hash: str
    hash: str = Field(description="SHA-256 over the one before and the recorded bytes")


class ActionSummary(Body):
    id: str
    kind: str
    model: str
    target: str
    reason: str
    severity: str
    priority: str
    status: str
    event_type: str
    accepted_at: AwareDatetime = Field(description="Of a scheduled one: when it becomes due")
    due_at: AwareDatetime
    attempts: int
    run_id: str | None
    error: str | None


class ActionPage(Body):
    actions: list[ActionSummary]
    next_cursor: str | None


class DriftedColumn(Body):
    event_id: str
    name: str
    effect: float
    q_value: float | None
    direction: str


class AnswerSaid(Body):
    """One answer of a decision, with its fate."""

    decision: str = Field(description="`model/seq`")
    event_id: str
    action: str
    target: str
    outcome: str
    says: str = Field(description="In words: what follows, or what stopped it and when it would next be allowed")
    stopped_by: str | None
    allowed_at: AwareDatetime | None
    due_at: AwareDatetime | None
    action_id: str | None = Field(description="The action it made, or the one that absorbed it")


class ApprovalSaid(Body):
    """Wall times."""

    subject: str
    asked_at: AwareDatetime
    until: AwareDatetime
    by_default: str
    answer: str | None
    how: Literal["person", "default", "auto"] | None
    who: str
    comment: str
    answered_at: AwareDatetime | None


class Confirmation(Body):
    worker: str
    phase: str
    at: AwareDatetime = Field(description="Wall time")
    detail: str


class DeploymentSaid(Body):
    id: str
    version: str
    previous_version: str | None
    kind: str
    status: str
    epoch: int | None
    forced: bool
    reason: str
    served_from: AwareDatetime | None
    served_to: AwareDatetime | None
    error: str | None
    workers: list[str] = Field(description="Those that had prepared when the champion changed")
    confirmations: list[Confirmation] = Field(description="Of workers that still exist")


class ActionFate(ActionSummary):
    params: dict[str, Any]
    as_of: AwareDatetime
    decision: str | None = Field(description="`model/seq`; null for an action a person asked for")
    causes: list[dict[str, Any]]
    created_at: AwareDatetime | None = Field(description="Wall time, like the three that follow")
    claimed_at: AwareDatetime | None
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    result: dict[str, Any] | None
    run_url: str | None = Field(description="The run in Airflow's UI")
    approvals: list[ApprovalSaid]
    version: str | None = Field(description="The version it made, judged or changed to")
    gates: list[dict[str, Any]]
    deployments: list[DeploymentSaid]
    results: list[EventRecord] = Field(description="Events it resulted in")


class Explanation(Body):
    """Why something was done, or was not: what happened, what was decided on it, what became of it."""

    about: Literal["action", "event", "decision", "dead_letter"]
    id: str
    says: str = Field(description="In one sentence")
    events: list[EventRecord] = Field(description="What led to it, the first one first")
    drifted: list[DriftedColumn]
    answers: list[AnswerSaid]
    decisions: list[dict[str, Any]] = Field(description="As recorded: severity path, rule, each guard")
    actions: list[ActionFate]
    dead_letter: dict[str, Any] | None = None
