"""The three named alert rules on serving. `deploy/prometheus/alerts.yml` has the same names and numbers; exactly one of the two evaluates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evergreen.contracts.actions import SeverityWord
from evergreen.core.traffic import Traffic

MIN_REQUESTS = 100
"""Below this many in the window nothing is said: one slow answer of two is no finding."""


@dataclass(frozen=True)
class AlertRule:
    name: str
    severity: SeverityWord
    side: Literal["above", "below"]
    bound: float
    what: str
    """With `{value}`: one sentence of fact."""
    remedy: str
    what_ko: str
    remedy_ko: str

    def broken_by(self, value: float) -> bool:
        """Strictly: the bound itself is allowed."""
        return value > self.bound if self.side == "above" else value < self.bound


HIGH_RESPONSE_TIME = AlertRule(
    "high_response_time",
    "medium",  # Prometheus calls it `warning`
    "above",
    1.0,
    "Answers took {value:.3f} s on average, the bound is 1.0 s.",
    "See serving's log for what it waits for (Redis, a model being loaded), and the processor's load.",
    "평균 응답 시간이 {value:.3f}초입니다(한계 1.0초).",
    "서빙 로그에서 무엇을 기다리는지(Redis, 모델 로드)와 CPU 부하를 확인하세요.",
)
LOW_CACHE_HIT_RATIO = AlertRule(
    "low_cache_hit_ratio",
    "critical",
    "below",
    0.7,
    "{value:.1%} of predictions came from a cache, the bound is 70 %.",
    "Is Redis there, was it emptied, or is the traffic of a new kind? Answers stay right, they cost more.",
    "예측의 {value:.1%}만 캐시에서 나왔습니다(한계 70 %).",
    "Redis가 동작하는지, 비워졌는지, 새로운 종류의 요청인지 확인하세요. 응답은 정확하지만 비용이 늘어납니다.",
)
HIGH_ERROR_RATE = AlertRule(
    "high_error_rate",
    "critical",
    "above",
    0.05,
    "{value:.1%} of the answers were errors of the server, the bound is 5 %.",
    "See serving's log; a version in its bake is rolled back by the policy.",
    "응답의 {value:.1%}가 서버 오류입니다(한계 5 %).",
    "서빙 로그를 확인하세요. 검증 기간(bake) 중인 버전은 정책이 되돌립니다.",
)
RULES = (HIGH_RESPONSE_TIME, LOW_CACHE_HIT_RATIO, HIGH_ERROR_RATE)


def measured(rule: AlertRule, traffic: Traffic, *, min_requests: int = MIN_REQUESTS) -> float | None:
    """The rule's number over the window's traffic; None when there was too little to say."""
    looked_up = traffic.hits + traffic.misses
    parts = {
        HIGH_RESPONSE_TIME.name: (traffic.seconds, traffic.timed),
        LOW_CACHE_HIT_RATIO.name: (traffic.hits, looked_up),
        HIGH_ERROR_RATE.name: (traffic.errors, traffic.requests),
    }
    part, whole = parts[rule.name]
    return None if whole < max(min_requests, 1) else part / whole
