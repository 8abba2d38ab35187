"""Drift reports and the quality of what was taken in, over HTTP. Days are list days, times platform time; shares, scores and distances in [0, 1]."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from evergreen.contracts.api import Body

PICTURE_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; worker-src blob:; connect-src data: blob:; frame-ancestors 'self'"
)
"""A report brings its scripts along. They run in an origin of their own, without cookies, and can ask nobody for anything."""


class DriftWindow(Body):
    id: UUID
    model: str
    version: str
    first_day: date
    last_day: date
    n: int = Field(description="Rows compared")
    score: float
    drifted: bool
    time: AwareDatetime


class DriftEntry(DriftWindow):
    affected: list[str] = Field(description="Features that drifted")
    lost: list[str] = Field(description="Features whose values went missing")
    pictured: bool = Field(description="A report to look at is made for it")


class DriftPage(Body):
    reports: list[DriftEntry] = Field(description="Newest first")


class HeatCell(Body):
    score: float
    statistic: float = Field(description="Jensen-Shannon distance")
    q_value: float
    drifted: bool


class HeatRow(Body):
    name: str
    cells: list[HeatCell | None] = Field(description="One per window")


class DriftHeat(Body):
    model: str
    windows: list[DriftWindow] = Field(description="Oldest first")
    features: list[HeatRow] = Field(description="Those that moved most first")
    left_off: int = Field(description="Features that moved less than those shown")


class FeatureDrift(Body):
    feature: str
    kind: str
    statistic: float = Field(description="The effect: Jensen-Shannon distance, without what chance makes")
    threshold: float
    score: float
    drifted: bool
    direction: str
    test: str
    p_value: float
    q_value: float = Field(description="After correction for all comparisons of the report")
    weight: float = Field(description="Importance to the model; all add up to 1")
    n_reference: int
    n_current: int
    findings: list[str]
    method: str


class Rows(Body):
    first_day: date
    last_day: date
    n: int


class DriftReportSaid(DriftWindow):
    action_id: UUID | None
    features: list[FeatureDrift] = Field(description="Strongest first")
    losses: list[FeatureDrift]
    prediction: FeatureDrift | None = Field(description="What the model says of the rows, compared like a feature")
    reference: Rows
    current: Rows
    notes: list[str]
    picture: Literal["made", "expected", "none"]
    distributions: bool = Field(description="`/distribution` answers for it")


class DistributionBar(Body):
    """Shares of the rows whose value is known."""

    reference: float
    current: float
    label: str | None = Field(description="Of a category; null: all other categories, or numbers")
    name_ko: str | None
    name_en: str | None
    low: float | None = Field(description="Of numbers: above it. Equal to `high`: that one value")
    high: float | None


class DistributionStep(Body):
    value: float
    reference: float = Field(description="Share up to the value")
    current: float


class Distributions(Body):
    report_id: UUID
    feature: str
    numeric: bool
    n_reference: int
    n_current: int
    bars: list[DistributionBar]
    curve: list[DistributionStep] = Field(description="Cumulative; empty for categories")
    unknown_reference: float
    unknown_current: float


class DatasetQuality(Body):
    dataset: str
    batches: int
    rows: int
    quarantined: int = Field(description="Rows set aside")
    flagged: int = Field(description="Batches with findings")
    incidents: int
    rejected: int
    last_day: date
    last_time: AwareDatetime


class BatchQuality(Body):
    dataset: str
    batch_id: str
    first_day: date
    last_day: date
    rows: int
    quarantined: int
    status: Literal["accepted", "rejected"]
    incident: bool = Field(description="A large part was set aside: no drift is looked for in its days")
    issues: list[dict[str, Any]] = Field(description="kind, column, count, share, detail")
    ingested_time: AwareDatetime


class Quality(Body):
    datasets: list[DatasetQuality]
    batches: list[BatchQuality] = Field(description="Newest first")
