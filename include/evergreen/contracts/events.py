"""Payloads, one frozen class per event type, named in the past tense. Extra fields and NaN are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from evergreen.contracts.actions import Action, SeverityWord
from evergreen.contracts.days import ListDay


class Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


def _severity(value: object) -> object:
    """Case-insensitive; anything missing or unknown is `medium` (policy: evidence can still raise it)."""
    word = str(value).strip().lower()
    return word if word in {"low", "medium", "high", "critical"} else "medium"


AnySeverity = Annotated[SeverityWord, BeforeValidator(_severity)]
Share = Annotated[float, Field(ge=0, le=1)]
VersionName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*@[0-9]+$", description="name@N")]


class Window(Payload):
    """List days, both inclusive."""

    first_day: ListDay
    last_day: ListDay


class DataIngested(Payload):
    """A batch was announced; `path` is a Parquet file in the batch schema."""

    batch_id: str
    dataset: str
    path: str
    rows: int = Field(ge=0)
    window: Window
    sha256: str


class DataProcessed(Payload):
    batch_id: str
    dataset: str
    rows: int = Field(ge=0)
    quarantined: int = Field(ge=0)
    window: Window


class QualityFinding(Payload):
    kind: str
    column: str | None = None
    count: int = Field(ge=0)
    share: Share
    detail: str = ""


class DataQualityIssue(Payload):
    dataset: str
    batch_id: str | None = None
    kind: str
    severity: AnySeverity = "medium"
    window: Window | None = None
    findings: tuple[QualityFinding, ...] = ()
    detail: str = ""


class AffectedFeature(Payload):
    name: str
    effect: float = Field(ge=0)
    q_value: Share
    direction: str = ""
    kind: Literal["distribution", "new_values", "out_of_range"] = "distribution"
    weight: Share | None = None


class DataDriftDetected(Payload):
    model_version: VersionName
    drift_score: Share
    affected_features: tuple[AffectedFeature, ...]
    severity: AnySeverity = "medium"
    window: Window
    n: int = Field(ge=0)
    report_url: str | None = None


class ModelTrainingStarted(Payload):
    model_name: str
    action_id: str
    reason: str
    window: Window


class ModelTrainingCompleted(Payload):
    model_name: str
    model_version: VersionName
    reason: str
    window: Window
    rows: int = Field(ge=0)
    metrics: dict[str, float]
    cost_seconds: float = Field(ge=0)
    run_id: str


class GateResult(Payload):
    name: str
    passed: bool
    detail: str
    numbers: dict[str, float] = {}


class ModelEvaluationCompleted(Payload):
    model_name: str
    model_version: VersionName
    champion_version: VersionName | None
    approved: bool
    window: Window | None
    n: int = Field(ge=0)
    gates: tuple[GateResult, ...]
    rows_after_as_of: int = Field(default=0, ge=0)


class ModelDeployed(Payload):
    model_name: str
    model_version: VersionName
    previous_version: VersionName | None
    epoch: int = Field(ge=1)
    kind: Literal["promote", "rollback", "revert"]
    forced: bool = False
    reason: str
    confirmed_by: tuple[str, ...]


class ModelPerformanceDegraded(Payload):
    model_name: str
    model_version: VersionName
    metric: str | None = Field(default=None, description="what was measured; `click_through_rate`: of the lists shown")
    performance_drop: float = Field(ge=0, description="relative, 0.15 = 15 %")
    current_performance: float
    baseline_performance: float
    action_required: Literal["NONE", "RETRAIN", "ROLLBACK"] = "NONE"
    severity: AnySeverity = "medium"
    window: Window
    n: int = Field(ge=0)
    interval: tuple[float, float]
    rollback_target: VersionName | None = None
    rollback_helps: bool = False


class PredictionRequest(Payload):
    model_name: str
    entity: str | None = None
    features: dict[str, Any] = {}


class PredictionCompleted(Payload):
    prediction_id: str
    model_name: str
    model_version: VersionName
    entity: str | None
    features: dict[str, Any]
    predicted: float
    lower: float | None = None
    upper: float | None = None
    answer: dict[str, Any] = {}
    latency_seconds: float = Field(ge=0)
    cached: bool
    shadow_version: VersionName | None = None
    shadow_predicted: float | None = None


class PredictionFeedback(Payload):
    model_name: str
    entity: str
    prediction_id: str | None = None
    outcome: dict[str, Any]


class SystemMetrics(Payload):
    service_name: str
    metrics: dict[str, float]


class ServiceMeasured(Payload):
    """`system_overload`, `system_load_low`, `prediction_latency_high`."""

    service_name: str
    measured: float
    bound: float
    severity: AnySeverity = "medium"
    window: str = ""


class SystemAlert(Payload):
    title: str
    message: str
    severity: AnySeverity = "medium"
    timestamp: AwareDatetime
    source_event: str
    drift_score: Share | None = None
    model_version: str | None = None


class PolicyChanged(Payload):
    old_hash: str | None
    new_hash: str
    who: str


class ServiceHealth(Payload):
    """`service_health_check_failed`, `service_recovered`."""

    service_name: str
    detail: str = ""
    severity: AnySeverity = "medium"
    model_version: VersionName | None = None


class ActionRequested(Payload):
    action: Action


class _OfAction(Payload):
    action_id: str
    kind: str
    model: str
    target: str = "-"


class ActionCompleted(_OfAction):
    run_id: str
    result: dict[str, Any] = {}


class ActionFailed(_OfAction):
    attempts: int = Field(ge=0)
    error: str


class TimerDue(Payload):
    """Written by the tick, without a Kafka hop. `timer` names what is due: performance_check, maintenance, a deferred or scheduled action."""

    timer: str
    model: str
    due_at: AwareDatetime
    action_id: str | None = None
