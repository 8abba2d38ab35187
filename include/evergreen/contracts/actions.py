"""Actions: what the policy asks for, in the imperative, and how they are told to whoever carries them out."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

NO_MODEL = "-"
"""The model of actions and decisions that concern none."""

SeverityWord = Literal["low", "medium", "high", "critical"]


class ActionKind(StrEnum):
    # Carried out by the DAG of the same name.
    INGEST = "ingest"
    DRIFT_CHECK = "drift_check"
    PERFORMANCE_CHECK = "performance_check"
    RETRAIN = "retrain"
    EVALUATE = "evaluate"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    MAINTENANCE = "maintenance"
    # Carried out where they are decided or by a worker.
    SCALE_UP = "scale_up"
    SCALE_DOWN = "scale_down"
    ALERT = "alert"
    MONITOR = "monitor"
    IGNORE = "ignore"


DAG_KINDS = (
    ActionKind.INGEST,
    ActionKind.DRIFT_CHECK,
    ActionKind.PERFORMANCE_CHECK,
    ActionKind.RETRAIN,
    ActionKind.EVALUATE,
    ActionKind.PROMOTE,
    ActionKind.ROLLBACK,
    ActionKind.MAINTENANCE,
)
"""Kinds an Airflow DAG of the same id carries out; only these ring the doorbell."""

APPROVED_KINDS = (ActionKind.PROMOTE, ActionKind.ROLLBACK)
"""Kinds that change a champion: of a model with `approval: manual` a person is asked before them."""


PAUSABLE = (ActionKind.RETRAIN, ActionKind.PROMOTE, ActionKind.ROLLBACK, ActionKind.SCALE_UP, ActionKind.SCALE_DOWN)
"""Kinds that nobody claims while the policy is paused, unless a person asked for them."""


class ActionStatus(StrEnum):
    PENDING = "pending"
    CLAIMED = "claimed"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({ActionStatus.SUCCEEDED, ActionStatus.FAILED, ActionStatus.CANCELLED})


class Cause(BaseModel):
    """An event that led to an action; absorbed ones are appended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    id: str
    type: str


class Action(BaseModel):
    """One unit of work. `target` is the model for retrain, drift_check, performance_check and rollback, the candidate version for
    evaluate and promote, the batch id for ingest, the service for scale, `-` for maintenance; `MODEL/submitted` where a retrain is of a model
    trained elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID
    kind: ActionKind
    model: str = NO_MODEL
    target: str = NO_MODEL
    params: dict[str, Any] = {}
    reason: str = Field(min_length=1)
    severity: SeverityWord = "medium"
    priority: Literal["normal", "high"] = "normal"
    due_at: AwareDatetime
    """Platform time from which it may be claimed."""
    as_of: AwareDatetime
    """Platform time of the cause: nothing younger is looked at."""
    causes: tuple[Cause, ...] = ()
    traceparent: str = ""
