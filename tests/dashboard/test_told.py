"""What core writes is told in the viewer's words; made here by core itself, so that other words there are noticed here."""

from __future__ import annotations

import re
import time
from datetime import date

import pytest

from dashboard.formats import Formats
from dashboard.told import feature_words, reason_words, rule_words, told
from dashboard.words import texts, words
from evergreen.contracts.events import GateResult
from evergreen.core import calibration, evaluation, served_form
from evergreen.core.evaluation import Interval, Segment

EN, KO = (words("en"), Formats("en")), (words("ko"), Formats("ko"))
WORSE = Interval(0.5, 0.2, 0.8, 0.1)
GATES = [
    evaluation.held_out(date(2025, 8, 1), {"video_performance@2": date(2025, 8, 3)}),
    evaluation.held_out(date(2025, 8, 1), {}),
    evaluation.enough_rows(10, 50),
    *(evaluation.sane_predictions(10, finite, spread) for finite, spread in ((9, 1.0), (10, 0.0), (10, 0.4))),
    evaluation.better(WORSE, 0.5, 0.2, margin=0.02, min_improvement=0.01),
    evaluation.better(Interval(-0.3, -0.4, -0.2, 0.1), 0.5, 0.2, margin=0.02, min_improvement=0.01),
    evaluation.better(Interval(0.0, -0.01, 0.01, 0.1), 0.5, 0.2, margin=0.02, min_improvement=0.01, measure="mae_log10_views"),
    evaluation.segments([Segment("20", 128, 2.0), Segment("10", 63, 1.4)], margin=0.15, min_rows=10),
    evaluation.segments([], margin=0.15, min_rows=10),
    evaluation.coverage(0.34, 0.7, 1.0),
    evaluation.bounded("size", 2.4, 50, "MB"),
    evaluation.bounded("latency", 0.05, 100, "ms"),
    evaluation.bounded("latency", float("nan"), 100, "ms"),
    served_form.parity(500, 0.0, served_form.Compiled(1e-15, 700)),
    served_form.traffic(served_form.Replayed(415, 0, comparable=415, disagreeing=251), max_disagreement=0.5, min_requests=200),
    served_form.traffic(served_form.Replayed(10, 0, comparable=10, disagreeing=9), max_disagreement=0.5, min_requests=200),
    served_form.traffic(served_form.Replayed(0, 0), max_disagreement=0.5, min_requests=200),
    served_form.experiment(None),
    calibration.without_chances(),
    calibration.calibrated(
        {"viral": calibration.Calibration(200, 0.3, 0.5), "still_listed": calibration.Calibration(5, 0.0, 0.0)},
        {},
        calibration.CalibrationBounds(0.2, 0.3, 50),
    ),
]
ENGLISH = re.compile(r"[A-Za-z]{2,}")
NAMES = re.compile(r"video_performance@\d|\bMB\b|\bms\b|\bMAE\b|\blog10\b")
"""What is written so in Korean, too."""


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: f"{gate.name}: {gate.detail[:40]}")
def test_what_a_gate_found_is_told_in_korean_with_every_number(gate: GateResult) -> None:
    said = told(*KO, "gate", gate.detail)
    assert not ENGLISH.search(NAMES.sub("", said).replace("nan", "")), said
    numbers = re.findall(r"\d+\.\d+", gate.detail)
    assert [number for number in numbers if number not in said] == []


@pytest.mark.parametrize(
    ("group", "text", "english", "korean"),
    [
        ("path", "event: medium", "event: medium", "이벤트 자체: 보통"),
        ("path", "performance_drop 1.4 > 0.15: critical", "performance drop 1.4 > 0.15: critical", "성능 하락 1.4 > 0.15: 심각"),
        ("drift", "lower: median 21 -> 11", "lower: median 21 -> 11", "감소: 중앙값 21 → 11"),
        ("drift", "outside 3 to 100: 1.4%", "outside 3 to 100: 1.4%", "3~100 범위를 벗어남: 1.4%"),
        ("drift", "<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("guard", "4 responses within 60 min, more than 3", "4 responses within 60 min, more than 3", "60분 동안 대응 4회, 한도 3회 초과"),
        ("guard", "words nobody knows; paused: not so", "words nobody knows; paused: not so", "words nobody knows; paused: not so"),
        ("ledger", "serves, stable", "serves, stable", "서비스 중, 안정"),
    ],
)
def test_words_are_told_and_what_is_not_known_stands_as_it_was_said(group: str, text: str, english: str, korean: str) -> None:
    assert (told(*EN, group, text), told(*KO, group, text)) == (english, korean)


def test_an_instant_in_a_sentence_is_the_viewers() -> None:
    said = "scale_up of severity high at 2025-09-12T00:49:56.705699+00:00, again after 600 s"
    assert told(*KO, "guard", said) == "2025. 9. 12. 오전 9:49:56에 심각도 높음으로 확장 실행, 600초 뒤부터 가능"


def test_codes_rules_and_features_have_words_or_their_own_names() -> None:
    assert reason_words(*KO, "data_drift_high") == "데이터 드리프트(높음)"
    assert reason_words(*KO, "storm_scale_down") == "과다 조치 차단: 축소"
    assert reason_words(*KO, "rolled back: performance_degraded") == "롤백됨: 모델 성능 저하"
    assert reason_words(*KO, "it_was [a try](x)") == "it_was [a try](x)"
    assert rule_words(KO[0], "data_drift_detected.high") == "데이터 드리프트 감지 · 높음"
    assert feature_words(KO[0], "tag_count") == "태그 수"
    assert feature_words(KO[0], "wing_length") == "wing_length"


def test_nothing_grows_with_what_somebody_sends() -> None:
    text = "a: " * 2000
    assert told(*KO, "drift", text) == text


@pytest.mark.parametrize("text", [" > " * 130, " against : , not better by " * 14 + "\n", "; ".join([" > " * 130] * 10), " > : " * 100_000])
def test_what_somebody_wrote_to_be_slow_is_not(text: str) -> None:
    begun = time.process_time()
    for group in ("path", "gate", "reason"):
        assert told(*KO, group, text) == text
    assert time.process_time() - begun < 10  # measured: 0.1 s at most; without bounds minutes


def test_every_template_has_a_place_for_each_of_its_words_once() -> None:
    for key, text in texts("en").items():
        if key.startswith("said."):
            found = re.findall(r"{(\w+)}", text)
            assert len(found) == len(set(found)), key
