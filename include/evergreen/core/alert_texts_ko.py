"""Alerts in Korean."""

from __future__ import annotations

from evergreen.contracts import events as e
from evergreen.contracts.envelope import Event
from evergreen.core.alert_texts_en import simple_facts

SEVERITIES = {"low": "낮음", "medium": "보통", "high": "높음", "critical": "심각"}


def facts(event: Event, payload: e.Payload) -> tuple[str, str]:
    """Title and message, without severity and notes."""
    match payload:
        case e.DataDriftDetected():
            affected = len(payload.affected_features)
            return f"데이터 드리프트: {payload.model_version}", f"드리프트 점수 {payload.drift_score:.3f}, 영향받은 특성 {affected}개. 조치가 필요합니다."
        case e.ModelPerformanceDegraded():
            figures = f"현재 {payload.current_performance:.3f}, 기준 {payload.baseline_performance:.3f}"
            return f"모델 성능 저하: {payload.model_version}", f"성능이 {payload.performance_drop:.1%} 떨어졌습니다: {figures}. 검토가 필요합니다."
        case e.ModelEvaluationCompleted():
            failed = "; ".join(f"{gate.name}: {gate.detail}" for gate in payload.gates if not gate.passed) or "이름 없음"
            return f"후보 모델 거부: {payload.model_version}", f"통과하지 못한 기준: {failed}."
        case e.ActionFailed():
            return f"작업 실패: {payload.model}의 {payload.kind}", f"{payload.attempts}번 시도한 뒤 포기했습니다: {payload.error}"
        case e.DataQualityIssue():
            found = payload.detail or f"{len(payload.findings)}건 발견"
            return f"데이터 품질: {payload.dataset}", f"배치 {payload.batch_id or '-'}의 {payload.kind}: {found}."
        case e.SystemAlert():
            return payload.title, payload.message
        case e.ServiceHealth():
            return f"{_NAMES.get(event.type, event.type)}: {payload.service_name}", _generic(event)
        case e.ServiceMeasured():
            measured = f"측정값 {payload.measured:g}, 한계 {payload.bound:g}{f', 구간 {payload.window}' if payload.window else ''}."
            return f"{_NAMES.get(event.type, event.type)}: {payload.service_name}", f"{measured} `evergreen explain {event.id}`로 확인하세요."
        case _:
            return f"{_NAMES.get(event.type, event.type)}: {event.subject}", _generic(event)


def _generic(event: Event) -> str:
    said = ", ".join(simple_facts(event))
    return f"{f'{said}. ' if said else ''}{event.source}에서 온 {event.type}; `evergreen explain {event.id}`로 확인하세요."


_NAMES = {
    "system_overload": "시스템 과부하",
    "system_load_low": "시스템 부하 낮음",
    "prediction_latency_high": "예측 지연 증가",
    "service_health_check_failed": "서비스 상태 확인 실패",
    "service_recovered": "서비스 복구",
    "model_deployed": "모델 배포",
    "data_processed": "데이터 처리",
    "timer_due": "예정된 작업",
}
"""Other types keep their own names."""
