"""What an alert says. English; one sentence of fact, one of what to do."""

from __future__ import annotations

from evergreen.contracts import events as e
from evergreen.contracts.envelope import Event
from evergreen.core.decision import Decision


def alert_text(event: Event, payload: e.Payload, decision: Decision) -> tuple[str, str]:
    """Title and message."""
    title, message = _facts(event, payload)
    if decision.notes:
        message = f"{message} ({'; '.join(decision.notes)})"
    return f"[{decision.severity}] {title}", message


def _facts(event: Event, payload: e.Payload) -> tuple[str, str]:
    if isinstance(payload, e.DataDriftDetected):
        affected = len(payload.affected_features)
        return f"Data drift: {payload.model_version}", f"Drift score {payload.drift_score:.3f}, {affected} affected features. Action needed."
    if isinstance(payload, e.ModelPerformanceDegraded):
        numbers = f"dropped by {payload.performance_drop:.1%}: {payload.current_performance:.3f}, baseline {payload.baseline_performance:.3f}"
        return f"Performance degraded: {payload.model_version}", f"Performance {numbers}. Review needed."
    if isinstance(payload, e.ModelEvaluationCompleted):
        failed = "; ".join(f"{gate.name}: {gate.detail}" for gate in payload.gates if not gate.passed) or "no gate named"
        return f"Candidate refused: {payload.model_version}", f"Failed gates: {failed}."
    if isinstance(payload, e.ActionFailed):
        return f"Action failed: {payload.kind} of {payload.model}", f"Gave up after {payload.attempts} attempts: {payload.error}"
    if isinstance(payload, e.DataQualityIssue):
        return (
            f"Data quality: {payload.dataset}",
            f"{payload.kind} in batch {payload.batch_id or '-'}: {payload.detail or f'{len(payload.findings)} findings'}.",
        )
    if isinstance(payload, e.SystemAlert):
        return payload.title, payload.message
    return f"{event.type}: {event.subject}", f"{event.type} from {event.source}; `evergreen explain {event.id}` shows it."
