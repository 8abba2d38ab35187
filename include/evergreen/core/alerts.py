"""What an alert is about and what it says, in English and Korean: one sentence of fact, one of what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evergreen.contracts import events as e
from evergreen.contracts.envelope import Event
from evergreen.core import alert_texts_en, alert_texts_ko
from evergreen.core.concerns import aim_of
from evergreen.core.decision import Decision
from evergreen.core.quality import BATCH_MISSING, INCIDENT_OVER

LONGEST_TITLE = 300
LONGEST_MESSAGE = 4_000
"""A channel, and an event beside others, can carry so much of what somebody else wrote."""
_Facts = Callable[[Event, e.Payload], tuple[str, str]]


@dataclass(frozen=True)
class AlertDetails:
    """What an alert says beside its English text. Empty Korean texts mean that there are none: the English ones stand in."""

    event_type: str = ""
    reason: str = ""
    title_ko: str = ""
    message_ko: str = ""
    drift_score: float | None = None
    model_version: str | None = None


NO_DETAILS = AlertDetails()
ALERTED_BY = "alertedby"
"""Attribute of an event whose producer has recorded the alert itself: the policy's answer to it tells nobody a second time."""


def alert_text(event: Event, payload: e.Payload, decision: Decision) -> tuple[str, str]:
    """Title and message in English."""
    return _text(alert_texts_en.facts, decision.severity, event, payload, decision)


def alert_details(event: Event, payload: e.Payload, decision: Decision, reason: str = "") -> AlertDetails:
    """The same in Korean, and the figures a reader of `system_alert` may compute with. `reason`: the action's."""
    title, message = _text(alert_texts_ko.facts, alert_texts_ko.SEVERITIES.get(decision.severity, decision.severity), event, payload, decision)
    return AlertDetails(
        event_type=event.type,
        reason=reason,
        title_ko=title,
        message_ko=message,
        drift_score=getattr(payload, "drift_score", None),
        model_version=getattr(payload, "model_version", None),
    )


def grouping_of(event: Event, payload: e.Payload, target: str) -> str:
    """What is told about together: of a service whatever model it names, otherwise of the action's target. A batch that is missing ends by
    itself when it comes, whatever is wrong with others: a group of its own."""
    if isinstance(payload, e.DataQualityIssue) and payload.kind == BATCH_MISSING:
        return f"{target}|{BATCH_MISSING}"
    about = payload.service_name if isinstance(payload, e.ServiceHealth | e.ServiceMeasured) else target
    return f"{about}|{event.type}"


@dataclass(frozen=True)
class Resolution:
    """An event's word that what was told before is over."""

    grouping: str
    event_type: str
    about: str
    """The service, the version or the dataset that says so."""


RESOLVING = frozenset({"service_recovered", "model_deployed", "data_quality_issue"})


def resolutions_of(payload: e.Payload, event_type: str, models: Sequence[str] = ()) -> tuple[Resolution, ...]:
    """Groups an event closes: a recovered service its failed checks; a model that was replaced its drift and its degradation; the first good
    batch the quality issues of the models it was decided for."""
    if isinstance(payload, e.DataQualityIssue) and payload.kind == INCIDENT_OVER:
        return tuple(Resolution(f"{aim_of(payload, model)}|{event_type}", event_type, f"{payload.dataset}, {payload.detail}") for model in models)
    if isinstance(payload, e.ServiceHealth) and event_type == "service_recovered":
        failed = "service_health_check_failed"
        return (Resolution(f"{payload.service_name}|{failed}", failed, payload.service_name),)
    if isinstance(payload, e.ModelDeployed) and payload.kind != "revert":
        closed = ("data_drift_detected", "model_performance_degraded")
        return tuple(Resolution(f"{payload.model_name}|{one}", one, payload.model_version) for one in closed)
    return ()


def bounded(text: str, most: int) -> str:
    """Short enough, and without the characters that neither JSON readers nor Postgres take."""
    clean = text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def _text(facts: _Facts, severity: str, event: Event, payload: e.Payload, decision: Decision) -> tuple[str, str]:
    title, message = facts(event, payload)
    if decision.notes:
        message = f"{message} ({'; '.join(decision.notes)})"
    return bounded(f"[{severity}] {title}", LONGEST_TITLE), bounded(message, LONGEST_MESSAGE)
