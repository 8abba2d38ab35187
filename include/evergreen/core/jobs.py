"""Prediction jobs as pure words: their states, formats, kinds, and who may see whose."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from evergreen.core.access import Principal, Role

MAX_ATTEMPTS = 4
"""Of runners that died on a job; after that it is the job's fault."""


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    """Every row has its place in the result, with a prediction or with its error."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    """It had succeeded; its result was removed, after its time or on request."""


class JobFormat(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self]


class JobKind(StrEnum):
    SCORE = "score"
    """Columns are the model's features: the primary head answers."""
    ROWS = "rows"
    """Columns are facts of an entity too, or its id alone: features are derived or looked up, as for a single prediction."""


MEDIA_TYPES: Mapping[JobFormat, str] = {
    JobFormat.JSONL: "application/x-ndjson",
    JobFormat.CSV: "text/csv",
    JobFormat.PARQUET: "application/vnd.apache.parquet",
}
UPLOADS: Mapping[str, JobFormat] = {
    **{media: kind for kind, media in MEDIA_TYPES.items()},
    "application/jsonl": JobFormat.JSONL,
    "application/json-lines": JobFormat.JSONL,
    "application/jsonlines": JobFormat.JSONL,
    "application/parquet": JobFormat.PARQUET,
    "application/x-parquet": JobFormat.PARQUET,
}
"""Content type -> format."""
OPEN = frozenset({JobState.QUEUED, JobState.RUNNING})
_SEE_ALL = frozenset({Role.ANALYST, Role.OPERATOR, Role.SERVICE})


class RowFault(StrEnum):
    """Why a row has no prediction: counted on the job, told in the row."""

    INVALID_ROW = "invalid-row"
    """Cannot be read as a row at all."""
    INVALID_VALUE = "invalid-value"
    UNKNOWN = "unknown-entity"
    """It names an entity and nothing else, and nothing is stored of that."""
    MODEL = "model-failed"


def fault(kind: RowFault, detail: str) -> str:
    return f"{kind}: {detail}"


def kind_of_fault(text: str) -> str:
    return text.partition(":")[0]


def may_see(principal: Principal, subject: str) -> bool:
    return principal.subject == subject or sees_all(principal)


def sees_all(principal: Principal) -> bool:
    return not principal.roles.isdisjoint(_SEE_ALL)


def may_end(principal: Principal, subject: str) -> bool:
    return principal.subject == subject or Role.OPERATOR in principal.roles
