"""Bodies of `/system`, `/alerts` and `/silences`. Instants named `time` are platform time, those named `at` wall time; shares lie in [0, 1]."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StrictInt

from evergreen.contracts.api import JSON_WHOLE, Body, Text
from evergreen.contracts.api_experiments import Reason

MOST_MINUTES = 30 * 24 * 60
SeverityName = Literal["low", "medium", "high", "critical"]


class Reading(Body):
    value: float | None = Field(description="Of the newest half minute; null: not measured")
    before: float | None = Field(description="Mean of the ten minutes before it; null: not measured")


class ServingReadings(Body):
    """Of all workers together."""

    requests_per_minute: Reading
    p50_milliseconds: Reading
    p95_milliseconds: Reading
    p99_milliseconds: Reading
    cpu_percent: Reading = Field(description="Of one processor per worker")
    memory_percent: Reading = Field(description="Of the machine's memory")
    memory_bytes: Reading
    error_share: Reading = Field(description="Answered with 5xx")
    cache_hit_ratio: Reading
    workers: Reading


class PartSaid(Body):
    name: str
    up: bool
    faults: int = Field(description="Probes in a row that failed")
    told_at: AwareDatetime
    lag: dict[str, int] = Field(description="Consumer group -> messages it has not taken yet")


class HopSaid(Body):
    """Of the newest thousand events."""

    name: Literal["receive", "decide"] = Field(description="receive: produced to received; decide: received to recorded decision")
    count: int
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None


class LoopQueues(Body):
    unsent: int = Field(description="Outbox rows that wait for the relay")
    oldest_unsent_seconds: float
    dead_letters: int = Field(description="That were not sent back")


class SystemNow(Body):
    at: AwareDatetime
    platform_time: AwareDatetime
    measured_at: AwareDatetime | None = Field(description="Newest telemetry of the monitor; null: none in the last ten minutes")
    serving: ServingReadings
    host_load_percent: Reading
    host_memory_percent: Reading
    parts: list[PartSaid]
    hops: list[HopSaid]
    queues: LoopQueues | None


class SystemPoint(Body):
    at: AwareDatetime
    requests_per_minute: float | None
    p50_milliseconds: float | None
    p95_milliseconds: float | None
    p99_milliseconds: float | None
    cpu_percent: float | None
    memory_percent: float | None
    cache_hit_ratio: float | None


class SystemSeries(Body):
    step_seconds: int
    points: list[SystemPoint] = Field(description="Oldest first, 400 at most; a step nothing was measured in has none")


class PartitionSaid(Body):
    partition: int
    first: int = Field(description="Oldest offset that is kept")
    end: int = Field(description="Offset the next message gets")


class TopicSaid(Body):
    name: str
    control: bool = Field(description="Intake decides on its events")
    partitions: list[PartitionSaid]
    messages: int = Field(description="Kept now")
    per_minute: float = Field(description="Over the last five minutes")
    last_at: AwareDatetime | None = Field(description="Of its newest message")
    lag: dict[str, int] = Field(description="Consumer group -> messages it has not taken yet; only groups that read it")


class TopicList(Body):
    at: AwareDatetime
    topics: list[TopicSaid]


class LogLine(Body):
    at: str
    service: str
    level: Literal["warning", "error", "critical"]
    event: str
    logger: str | None
    detail: str = Field(description="Its other fields in brief; secrets were taken out when it was written")


class LogLines(Body):
    kept: bool = Field(description="False: this home keeps no log files; ask the containers")
    lines: list[LogLine] = Field(description="Newest first")


class AlertSaid(Body):
    id: UUID
    severity: SeverityName
    title: str
    title_ko: str
    message: str
    message_ko: str
    model: str
    event_type: str
    event_id: str | None
    time: AwareDatetime
    outcome: str | None = Field(description="What the notifier did about it; null: it has not come to it")
    open: bool = Field(description="Told to somebody, and not over yet")


class AlertList(Body):
    alerts: list[AlertSaid] = Field(description="Newest first")


class SilenceSaid(Body):
    id: UUID
    until_time: AwareDatetime
    created_time: AwareDatetime
    ended_time: AwareDatetime | None = Field(description="When somebody ended it before its time")
    ended_by: str | None
    running: bool
    who: str
    reason: str
    model: str | None
    event_type: str | None
    up_to: SeverityName


class SilenceList(Body):
    silences: list[SilenceSaid] = Field(description="Those that run first, then the newest")


Subject = Annotated[Text, Field(min_length=1, max_length=128)]


class SilenceRequest(Body):
    minutes: Annotated[StrictInt, Field(ge=1, le=MOST_MINUTES), JSON_WHOLE] = Field(description="Of platform time")
    reason: Reason
    model: Subject | None = Field(default=None, description="A model, service or dataset; null: any")
    event_type: Subject | None = Field(default=None, examples=["data_drift_detected"])
    up_to: SeverityName = Field(
        default="critical",
        description="The highest severity that stays quiet; below `critical` where neither a model nor a type is named",
    )
