"""What `evergreen policy lint` finds, each by its place."""

from __future__ import annotations

import pytest

from evergreen.adapters.policy_file import load_policy, parse_policy
from evergreen.core.errors import InvalidPolicy
from evergreen.core.lint import findings
from evergreen.environment import CHECKOUT

TEXT = (CHECKOUT / "policies" / "default.yaml").read_text(encoding="utf-8")


def found(old: str, new: str) -> list[str]:
    assert old in TEXT
    return [str(one) for one in findings(parse_policy(TEXT.replace(old, new)))]


def test_the_shipped_policy_is_sound() -> None:
    assert findings(load_policy(CHECKOUT / "policies" / "default.yaml")) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "      - {if: {timer: maintenance}, action: maintenance}",
            "      - {if: {timer: maintenance}, action: maintenance}\n      - {if: {timer: maintenance, model: x}, action: ignore}",
            "rules.timer_due.any.2: can never be reached: the cell if timer = maintenance is taken before it",
            id="a-cell-behind-its-twin",
        ),
        pytest.param(
            "  model_deployed: {any: {action: monitor}}",
            "  model_deployed: {low: {action: ignore}, medium: {action: monitor}, high: {action: alert}, critical: {action: alert}}",
            "rules.model_deployed.low: can never be reached: model_deployed says no severity, and no evidence makes it low",
            id="a-severity-nobody-says",
        ),
        pytest.param("  policy_changed: {any: {action: ignore}}\n", "", "rules: no row for policy_changed: each is an alert", id="a-type-without-a-row"),
        pytest.param(
            "  policy_changed: {any: {action: ignore}}",
            "  policy_changed: {any: {action: ignore}}\n  prediction_request: {any: {action: ignore}}",
            "rules.prediction_request: can never be reached: prediction_request is not on a topic that is decided on",
            id="a-type-nobody-decides-on",
        ),
        pytest.param("  rollback: 30m", "  rollback: 0m", "cooldowns.rollback: rollback has no cooldown", id="an-action-without-a-rest"),
        pytest.param("default_cooldown: 5m", "default_cooldown: 0s", "", id="a-default-nobody-uses"),
        pytest.param("  rollback: 30m", "  rollback: 30m\n  promote: 5m", "cooldowns.promote: promote is a step of the loop", id="a-rest-for-a-step"),
        pytest.param(
            "days: [mon, tue, wed, thu, fri, sat, sun], holidays: []",
            "days: [mon], holidays: [2026-01-05]",
            "working_hours: nobody watches for 14 days in a row",
            id="a-gap-in-the-calendar",
        ),
        pytest.param('{start: "03:00", end: "05:00"}', '{start: "03:00", end: "03:00"}', "maintenance_window: is the whole day", id="a-window-that-is-none"),
        pytest.param(
            "evidence:\n",
            "evidence:\n  model_deployed:\n    high: [{field: epoch, above: 5}]\n",
            "evidence.model_deployed: changes nothing: the rules of model_deployed do not look at the severity",
            id="evidence-nobody-asks",
        ),
    ],
)  # fmt: skip
def test_each_finding_names_its_place(old: str, new: str, message: str) -> None:
    messages = found(old, new)

    assert any(one.startswith(message) for one in messages) if message else messages == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("  retrain: 60m", "  retrain: 48h", "cooldowns.retrain: longer than a day", id="longer-than-anybody-looks-back"),
        pytest.param("timezone: Asia/Seoul", "timezone: Asia", "timezone: no time zone 'Asia'", id="a-continent"),
        pytest.param("above: 0.6}", "above: .inf}", "evidence.data_drift_detected.high.0.above", id="infinity"),
        pytest.param("{field: drift_score, above: 0.6}", "{field: window, above: 0.6}", "is neither a number nor a list", id="evidence-that-is-no-number"),
        pytest.param("daily_limits: {retrain: 6, rollback: 3}", "daily_limits: {alert: 6}", "daily_limits", id="a-limit-on-alerts"),
        pytest.param("approvals: {}", "approvals: {m: sometimes}", "approvals.m.mode", id="half-an-approval"),
        pytest.param("days: [mon, tue, wed, thu, fri, sat, sun]", "days: []", "working_hours.days", id="no-working-day"),
    ],
)
def test_a_mistake_is_refused_with_its_line(old: str, new: str, message: str) -> None:
    assert old in TEXT
    line = TEXT[: TEXT.index(old)].count("\n") + 1

    with pytest.raises(InvalidPolicy, match=f"(?m)^policy:{line}: ") as refused:
        parse_policy(TEXT.replace(old, new))

    assert message in str(refused.value)
