"""Alerts in English."""

from __future__ import annotations

from collections.abc import Iterator

from evergreen.contracts import events as e
from evergreen.contracts.envelope import Event

_MOST_FACTS = 8


def facts(event: Event, payload: e.Payload) -> tuple[str, str]:
    """Title and message, without severity and notes."""
    match payload:
        case e.DataDriftDetected():
            affected = len(payload.affected_features)
            return f"Data drift: {payload.model_version}", f"Drift score {payload.drift_score:.3f}, {affected} affected features. Action needed."
        case e.ModelPerformanceDegraded():
            figures = f"{payload.performance_drop:.1%}: {payload.current_performance:.3f}, baseline {payload.baseline_performance:.3f}"
            return f"Performance degraded: {payload.model_version}", f"Performance dropped by {figures}. Review needed."
        case e.ModelEvaluationCompleted():
            failed = "; ".join(f"{gate.name}: {gate.detail}" for gate in payload.gates if not gate.passed) or "no gate named"
            return f"Candidate refused: {payload.model_version}", f"Failed gates: {failed}."
        case e.ActionFailed():
            return f"Action failed: {payload.kind} of {payload.model}", f"Gave up after {payload.attempts} attempts: {payload.error}"
        case e.DataQualityIssue():
            found = payload.detail or f"{len(payload.findings)} findings"
            return f"Data quality: {payload.dataset}", f"{payload.kind} in batch {payload.batch_id or '-'}: {found}."
        case e.SystemAlert():
            return payload.title, payload.message
        case e.ServiceHealth():
            return f"{event.type}: {payload.service_name}", _generic(event)
        case e.ServiceMeasured():
            measured = f"Measured {payload.measured:g}, bound {payload.bound:g}{f', over {payload.window}' if payload.window else ''}."
            return f"{event.type}: {payload.service_name}", f"{measured} `evergreen explain {event.id}` shows it."
        case _:
            return f"{event.type}: {event.subject}", _generic(event)


def _generic(event: Event) -> str:
    said = ", ".join(simple_facts(event))
    return f"{f'{said}. ' if said else ''}{event.type} from {event.source}; `evergreen explain {event.id}` shows it."


def simple_facts(event: Event) -> Iterator[str]:
    """The event's own words and numbers; lists and objects stay with `explain`."""
    told = {name: value for name, value in event.data.items() if name != "severity" and value != "" and not isinstance(value, bool)}
    plain = [(name, value) for name, value in told.items() if isinstance(value, str | int | float)]
    for name, value in plain[:_MOST_FACTS]:
        yield f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {value}"
