"""Bodies of `/models/{m}/…`: versions, what judged them, what they were worth, and changing who serves. Times are platform time."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StrictBool, StrictStr, model_validator

from evergreen.contracts.api import Body, Text

Interval = Annotated[list[float], Field(min_length=2, max_length=2, description="95 %: from, to")]
VersionName = Annotated[StrictStr, Field(pattern=r"^[a-z][a-z0-9_]{0,63}@[1-9][0-9]{0,8}$", examples=["video_performance@3"])]
Reason = Annotated[Text, Field(min_length=1, max_length=500, description="Recorded with the deployment")]


class Judged(Body):
    """The verdict of the gates in short."""

    approved: bool
    against: str = Field(description="The champion of then, or the trivial method")
    rows: int = Field(description="Held-out rows with outcomes")
    passed: int
    gates: int
    relative: float | None = Field(description="Error over the other's, minus one: below zero is better")
    relative_interval: Interval | None


class VersionSummary(Body):
    version: str
    number: int
    aliases: list[str] = Field(description="champion, challenger, previous_champion")
    champion: bool
    status: Literal["candidate", "approved", "refused"]
    stable: bool
    quarantined: str | None = Field(description="Why it must neither be promoted nor rolled back to")
    cause: str
    trained: Annotated[list[date], Field(min_length=2, max_length=2, description="First and last day")]
    rows: int
    as_of: AwareDatetime
    metric: str
    direction: Literal["lower", "higher"] = Field(description="Whether the metric is better when lower or when higher")
    held_out_error: float | None = Field(description="The metric on held-out rows")
    held_out_interval: Interval | None
    metrics: dict[str, float]
    cost_seconds: float
    failed_gates: list[str]
    judged: Judged | None = Field(description="Null: not judged yet")
    url: str = Field(description="In MLflow")
    run_url: str


class VersionPage(Body):
    model: str
    versions: list[VersionSummary]
    next_before: int | None = Field(description="`before` of the next page")


class GateSaid(Body):
    name: str
    passed: bool
    detail: str
    numbers: dict[str, float]


class Measured(Body):
    """How it did on outcomes that came after it was trained."""

    kind: Literal["measured"]
    window: Annotated[list[date], Field(min_length=2, max_length=2)]
    n: int
    current: float
    baseline: float
    drop_interval: Interval
    degraded: bool
    coverage: float
    against: str


class VersionReport(VersionSummary):
    gates: list[GateSaid] = Field(description="Of its newest evaluation, in order")
    window: Annotated[list[date], Field(min_length=2, max_length=2)] | None = Field(description="Days it was judged on")
    performance: Measured | None
    estimate: dict[str, Any] | None = Field(description="Where outcomes are not known yet")


class LedgerEntry(Body):
    version: str
    cause: str
    cost_seconds: float
    promised: float | None = Field(description="By the gates: error over the champion's of then, minus one")
    promised_interval: Interval | None
    realised: float | None = Field(description="Over its bake, on rows both predicted")
    realised_interval: Interval | None
    rows: int
    avoided: float | None = Field(description="Loss avoided, in the metric's unit, summed over those rows")
    outcome: str
    closed: AwareDatetime | None = Field(description="Null: not final")


class LedgerTotals(Body):
    retrains: int
    served: int
    refused: int
    rolled_back: int
    compared: int = Field(description="Entries with both a promise and what came of it")
    cost_seconds: float
    mean_promised: float | None
    mean_realised: float | None
    avoided: float


class LedgerPage(Body):
    model: str
    metric: str
    entries: list[LedgerEntry] = Field(description="Oldest first")
    totals: LedgerTotals


class PromoteRequest(Body):
    version: VersionName
    forced: StrictBool = Field(default=False, description="Past the gates' verdict, never past a quarantine")
    reason: Reason


class RollbackRequest(Body):
    to: VersionName | None = Field(default=None, description="Default: the newest stable version that loads")
    forced: StrictBool = Field(default=False, description="Also to a version that never earned stable; needs `to`")
    reason: Reason

    @model_validator(mode="after")
    def _whereto(self) -> RollbackRequest:
        if self.forced and self.to is None:
            raise ValueError("forced needs `to`: the version to go back to")
        return self


class ChangeAccepted(Body):
    action_id: UUID = Field(description="What becomes of it: `/actions/{id}/explain`")


class Check(Body):
    name: str
    passed: bool
    detail: str


class ChangePreview(Body):
    """What the change would do now; nothing is changed."""

    kind: Literal["promote", "rollback"]
    model: str
    champion: str | None
    epoch: int | None
    target: str | None = Field(description="The version that would serve")
    outcome: Literal["would_change", "nothing_to_do", "would_wait", "refused"]
    reason: str
    checks: list[Check]
    gates: list[GateSaid] = Field(description="What the gates said of it")
