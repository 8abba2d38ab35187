"""The one table topic <-> event type <-> payload. Topics are created from it, producers and consumers are derived from it,
schemas are generated from it. A topic that is not here does not exist (auto-creation is off: a typo is an error)."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from evergreen.contracts import business as b
from evergreen.contracts import events as e
from evergreen.contracts.envelope import Event
from evergreen.contracts.errors import InvalidEvent


@dataclass(frozen=True)
class Topic:
    name: str
    partitions: int
    types: dict[str, type[e.Payload]]
    control: bool = False
    """Intake reads it, keeps its events and decides on each; the others are handled in bulk by the indexer and the recommender."""


DEAD_LETTER = "dead.letter"
ACTIONS = "mlops.actions"

TOPICS: tuple[Topic, ...] = (
    Topic("data.ingested", 3, {"data_ingested": e.DataIngested}, control=True),
    Topic("data.processed", 3, {"data_processed": e.DataProcessed}, control=True),
    Topic("data.quality.issues", 2, {"data_quality_issue": e.DataQualityIssue}, control=True),
    Topic("data.drift.detected", 2, {"data_drift_detected": e.DataDriftDetected}, control=True),
    Topic("model.training.started", 2, {"model_training_started": e.ModelTrainingStarted}, control=True),
    Topic("model.training.completed", 2, {"model_training_completed": e.ModelTrainingCompleted}, control=True),
    Topic("model.evaluation.completed", 2, {"model_evaluation_completed": e.ModelEvaluationCompleted}, control=True),
    Topic("model.deployed", 2, {"model_deployed": e.ModelDeployed}, control=True),
    Topic("model.performance.degraded", 2, {"model_performance_degraded": e.ModelPerformanceDegraded}, control=True),
    Topic("prediction.request", 5, {"prediction_request": e.PredictionRequest}),
    Topic("prediction.completed", 5, {"prediction_completed": e.PredictionCompleted, "recommendations_shown": b.RecommendationsShown}),
    Topic("prediction.feedback", 3, {"prediction_feedback": e.PredictionFeedback}),
    Topic(
        "system.metrics",
        3,
        {
            "system_metrics": e.SystemMetrics,
            "system_overload": e.ServiceMeasured,
            "system_load_low": e.ServiceMeasured,
            "prediction_latency_high": e.ServiceMeasured,
        },
        control=True,
    ),
    Topic("system.alerts", 2, {"system_alert": e.SystemAlert, "policy_changed": e.PolicyChanged}, control=True),
    Topic("system.health", 2, {"service_health_check_failed": e.ServiceHealth, "service_recovered": e.ServiceHealth}, control=True),
    Topic("business.user.interaction", 3, {"user_interaction": b.UserInteraction}),
    Topic("business.recommendation.clicked", 3, {"recommendation_clicked": b.RecommendationClicked}),
    Topic("business.feedback.received", 2, {"business_feedback_received": b.BusinessFeedbackReceived}),
    Topic("recommendations.updated", 3, {"recommendations_updated": b.RecommendationsUpdated}),
    Topic("push.recommendations", 3, {"recommendations_push": b.RecommendationsPush}),
    Topic(
        ACTIONS,
        3,
        {"action_requested": e.ActionRequested, "action_completed": e.ActionCompleted, "action_failed": e.ActionFailed},
        control=True,
    ),
    Topic(DEAD_LETTER, 2, {}),
)

PAYLOADS: dict[str, type[e.Payload]] = {name: payload for topic in TOPICS for name, payload in topic.types.items()} | {"timer_due": e.TimerDue}
"""Event type -> payload; `timer_due` has a schema but no topic: the tick writes it straight into `events`."""

TOPIC_OF: dict[str, str] = {name: topic.name for topic in TOPICS for name in topic.types}
STREAM_TYPES = frozenset({"system_metrics"})
"""Types on a control topic that are high-volume telemetry: the indexer records them, intake passes over them."""
CONTROL_TOPICS = tuple(topic.name for topic in TOPICS if topic.control)


def payload_of(event: Event) -> e.Payload:
    """The typed payload. Raises InvalidEvent `unknown_type` or `schema_violation`."""
    model = PAYLOADS.get(event.type)
    if model is None:
        raise InvalidEvent("unknown_type", f"no event type {event.type!r}; known: {', '.join(sorted(PAYLOADS))}")
    try:
        return model.model_validate(event.data)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise InvalidEvent("schema_violation", f"{event.type}.{where}: {fault['msg']}") from error
