"""Deciding on one event, for tests of the guards."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from evergreen.adapters.policy_file import load_policy, parse_policy
from evergreen.contracts.actions import ActionKind
from evergreen.core.decision import Answer, Decision
from evergreen.core.policy import decide
from evergreen.core.rules import Policy
from evergreen.core.state import State
from evergreen.environment import CHECKOUT
from tests.support.events import MODEL, NOON, event

FILE = CHECKOUT / "policies" / "default.yaml"
POLICY = load_policy(FILE)
KNOWN = State(model=MODEL, datasets=("videos.KR",))
DRIFT, DEGRADED, OVERLOAD = "data_drift_detected", "model_performance_degraded", "system_overload"
HIGH: dict[str, Any] = {"drift_score": 0.7}
CRITICAL: dict[str, Any] = {"performance_drop": 0.5}
TARGET: dict[str, Any] = {"rollback_target": f"{MODEL}@1", "rollback_helps": True}
SEOUL = ZoneInfo("Asia/Seoul")


def asked(event_type: str, state: State = KNOWN, *, now: datetime = NOON, policy: Policy = POLICY, at: datetime | None = None, **changes: Any) -> Decision:
    return decide(event(event_type, at=at or now, **changes), state, now, policy)


def answer(decision: Decision, kind: ActionKind) -> Answer:
    return next(one for one in decision.answers if one.kind is kind)


def outcomes(decision: Decision) -> dict[str, str]:
    return {one.kind.value: one.outcome.value for one in decision.answers}


def seoul(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2025, 8, 6, hour, minute, second, tzinfo=SEOUL)


def with_lines(**lines: str) -> Policy:
    """The default policy with some of its lines replaced."""
    text = FILE.read_text(encoding="utf-8").splitlines()
    for name, line in lines.items():
        text = [f"{name}: {line}" if old.startswith(f"{name}:") else old for old in text]
    return parse_policy("\n".join(text))
