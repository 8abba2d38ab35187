"""Bodies of `/jobs…`: large batches of predictions that go on without the one who asked."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, StrictInt

from evergreen.contracts.api import JSON_WHOLE, Body, Day, Instant, Text

State = Literal["queued", "running", "succeeded", "failed", "cancelled", "expired"]
Format = Literal["jsonl", "csv", "parquet"]
Kind = Literal["score", "rows"]


class TableJob(Body):
    """Instead of an upload: rows of the catalogue, each with what the feature store knows of it. Filters narrow it; all of them must fit."""

    table: Literal["videos"]
    region: Annotated[Text, Field(max_length=16)] | None = None
    category_ids: Annotated[list[Annotated[StrictInt, Field(ge=-(2**31), lt=2**31), JSON_WHOLE]], Field(min_length=1, max_length=100)] | None = None
    channel_id: Annotated[Text, Field(max_length=128)] | None = None
    published_from: Instant | None = None
    published_to: Instant | None = Field(default=None, description="Exclusive")
    seen_from: Day | None = Field(default=None, description="Listed on this day or later")
    seen_to: Day | None = Field(default=None, description="First listed on this day or earlier")
    limit: Annotated[StrictInt, Field(ge=1), JSON_WHOLE] | None = Field(default=None, description="In the order of video_id; never more than a job may have")


class JobProgress(Body):
    rows_done: int
    rows_total: int | None = Field(description="Of text files the number of lines until the end, then exact; null until it is known")
    rows_failed: int = Field(description="Rows of the result that hold an error instead of a prediction")
    errors: dict[str, int] = Field(description="The same by kind: invalid-row, invalid-value, unknown-entity, model-failed")


class JobRecord(Body):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    id: UUID
    state: State
    subject: str = Field(description="Who asked")
    model: str
    model_version: str | None = Field(description="The champion when it first started; it answers the whole job")
    kind: Kind | None = Field(description="`score`: columns are features. `rows`: they are facts, as a request gives them. Null until the file was looked at")
    input_format: Format
    output_format: Format
    progress: JobProgress
    queue_position: int | None = Field(description="1 is next; null unless queued")
    error: str | None = Field(description="Why it failed")
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    finished_at: AwareDatetime | None
    expires_at: AwareDatetime | None = Field(description="When the result may be removed")
    result: str | None = Field(description="Path of the result, once it succeeded")
    result_bytes: int | None


class JobPage(Body):
    jobs: list[JobRecord]
    next_cursor: str | None
