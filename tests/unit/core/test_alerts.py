"""What alerts say, in both languages, and what events say is over."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from evergreen.contracts.topics import PAYLOADS, payload_of
from evergreen.core.alerts import LONGEST_MESSAGE, alert_details, alert_text, bounded, grouping_of, resolutions_of
from evergreen.core.concerns import aim_of
from evergreen.core.decision import Decision
from evergreen.core.policy import decide
from evergreen.core.state import State
from tests.support.events import MODEL, NOON, event, features
from tests.support.intake_bench import POLICY


def decided(severity: str = "high", notes: tuple[str, ...] = ()) -> Decision:
    said = event("data_drift_detected")
    decision = decide(said, State(MODEL), NOON, POLICY)
    return Decision(**{**vars(decision), "severity": severity, "notes": notes})


def told(event_type: str, severity: str = "high", **changes: Any) -> list[str]:
    """English title and message, Korean title and message."""
    said = event(event_type, **changes)
    details = alert_details(said, payload_of(said), decided(severity))
    return [*alert_text(said, payload_of(said), decided(severity)), details.title_ko, details.message_ko]


def test_drift_names_model_score_features_and_severity() -> None:
    assert told("data_drift_detected", "critical", drift_score=0.81249, affected_features=features(6)) == [
        f"[critical] Data drift: {MODEL}@1",
        "Drift score 0.812, 6 affected features. Action needed.",
        f"[심각] 데이터 드리프트: {MODEL}@1",
        "드리프트 점수 0.812, 영향받은 특성 6개. 조치가 필요합니다.",
    ]


def test_performance_names_model_drop_current_and_baseline() -> None:
    assert told("model_performance_degraded", performance_drop=0.1239, current_performance=0.27, baseline_performance=0.24) == [
        f"[high] Performance degraded: {MODEL}@2",
        "Performance dropped by 12.4%: 0.270, baseline 0.240. Review needed.",
        f"[높음] 모델 성능 저하: {MODEL}@2",
        "성능이 12.4% 떨어졌습니다: 현재 0.270, 기준 0.240. 검토가 필요합니다.",
    ]


@pytest.mark.parametrize(
    ("event_type", "changes", "en", "ko"),
    [
        pytest.param("service_health_check_failed", {"detail": "no PONG"}, "service_name redis, detail no PONG", "서비스 상태 확인 실패: redis", id="health"),
        pytest.param("system_overload", {"window": "30 s"}, "Measured 95, bound 90, over 30 s.", "측정값 95, 한계 90, 구간 30 s.", id="overload"),
        pytest.param("action_failed", {}, "Gave up after 3 attempts: boom", "3번 시도한 뒤 포기했습니다: boom", id="action"),
        pytest.param("data_quality_issue", {"detail": "40 % nulls"}, "nulls in batch b1: 40 % nulls.", "배치 b1의 nulls: 40 % nulls.", id="quality"),
        pytest.param(
            "model_evaluation_completed", {"gates": [{"name": "error", "passed": False, "detail": "worse"}]}, "error: worse.", "error: worse.", id="gate"
        ),
        pytest.param("system_alert", {}, "Disk full", "Disk full", id="of-others"),
        pytest.param("model_deployed", {}, "epoch 2", "모델 배포", id="generic"),
    ],
)
def test_others_tell_the_events_facts(event_type: str, changes: dict[str, Any], en: str, ko: str) -> None:
    said = told(event_type, **changes)

    assert en in "\n".join(said[:2])
    assert ko in "\n".join(said[2:])


@pytest.mark.parametrize(
    "event_type", sorted({"data_ingested", "data_processed", "model_training_started", "model_training_completed", "timer_due"} & set(PAYLOADS))
)
def test_every_type_has_a_text_that_leads_to_its_explanation(event_type: str) -> None:
    said = event(event_type)
    texts = told(event_type, event_id=said.id)

    assert all(texts)
    assert f"`evergreen explain {said.id}`" in texts[1]
    assert f"`evergreen explain {said.id}`" in texts[3]


def test_notes_follow_and_length_is_bounded() -> None:
    said = event("action_failed", error="x" * 10_000)
    _, message = alert_text(said, payload_of(said), decided(notes=("unknown_model",)))
    assert len(message) == LONGEST_MESSAGE

    said = event("action_failed")
    _, message = alert_text(said, payload_of(said), decided(notes=("unknown_model", "late")))
    assert message.endswith("boom (unknown_model; late)")


def test_figures_a_program_may_compute_with_are_kept() -> None:
    said = event("data_drift_detected", drift_score=0.5)
    details = alert_details(said, payload_of(said), decided(), "data_drift_high")

    assert (details.event_type, details.reason, details.drift_score, details.model_version) == ("data_drift_detected", "data_drift_high", 0.5, f"{MODEL}@1")
    assert alert_details(event("action_failed"), payload_of(event("action_failed")), decided()).drift_score is None


def test_characters_nobody_can_store_are_taken_out() -> None:
    assert bounded("a\x00b\ud800c", 10) == "ab?c"
    assert bounded("abcdef", 4) == "abc…"


# Groups


def test_a_service_is_its_own_group_whatever_model_it_names() -> None:
    said = event("service_health_check_failed", service_name="serving", model_version=f"{MODEL}@3")

    assert grouping_of(said, payload_of(said), MODEL) == "serving|service_health_check_failed"
    drift = event("data_drift_detected")
    assert grouping_of(drift, payload_of(drift), MODEL) == f"{MODEL}|data_drift_detected"


@pytest.mark.parametrize(
    ("event_type", "changes", "closed"),
    [
        pytest.param("service_recovered", {"service_name": "redis"}, ["redis|service_health_check_failed"], id="recovered"),
        pytest.param("model_deployed", {}, [f"{MODEL}|data_drift_detected", f"{MODEL}|model_performance_degraded"], id="promoted"),
        pytest.param("model_deployed", {"kind": "revert"}, [], id="reverted"),
        pytest.param("service_health_check_failed", {}, [], id="failed"),
        pytest.param("action_completed", {}, [], id="nothing"),
    ],
)
def test_what_an_event_says_is_over(event_type: str, changes: dict[str, Any], closed: list[str]) -> None:
    said = event(event_type, **changes)

    assert [one.grouping for one in resolutions_of(payload_of(said), event_type)] == closed


def test_the_first_good_batch_closes_what_the_bad_ones_opened_and_no_missing_one() -> None:
    bad, over, missing = (event("data_quality_issue", kind=kind) for kind in ("incident", "incident_over", "batch_missing"))
    models = ("video_performance", "-")
    opened = [grouping_of(bad, payload_of(bad), aim_of(payload_of(bad), model)) for model in models]

    assert [one.grouping for one in resolutions_of(payload_of(over), over.type, models)] == opened
    assert resolutions_of(payload_of(bad), bad.type, models) == ()
    assert grouping_of(missing, payload_of(missing), MODEL) not in opened


def test_what_is_closed_is_what_was_opened() -> None:
    """Both sides make the same key."""
    failed, recovered = event("service_health_check_failed", service_name="redis"), event("service_recovered", service_name="redis", event_id=str(uuid4()))

    assert grouping_of(failed, payload_of(failed), "redis") == resolutions_of(payload_of(recovered), recovered.type)[0].grouping
