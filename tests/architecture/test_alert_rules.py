"""The monitor's rules and Prometheus' are the same: names, bounds, severities, window and least traffic."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from evergreen.core.alert_rules import MIN_REQUESTS, RULES, AlertRule
from evergreen.core.traffic import HITS, MISSES, PROBES, REQUESTS, SECONDS
from evergreen.settings_monitor import MonitorSettings

FILE = "deploy/prometheus/alerts.yml"
WORDS = {"medium": "warning", "critical": "critical"}
METRICS = {
    "high_response_time": {f"{SECONDS}_sum", f"{SECONDS}_count"},
    "low_cache_hit_ratio": {HITS, MISSES},
    "high_error_rate": {REQUESTS},
}


def shipped() -> dict[str, dict[str, Any]]:
    from evergreen.environment import CHECKOUT

    groups = yaml.safe_load((CHECKOUT / FILE).read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_the_same_rules_are_shipped() -> None:
    assert set(shipped()) == {rule.name for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_has_the_same_numbers(rule: AlertRule) -> None:
    found = shipped()[rule.name]
    sign, bound = re.findall(r"([<>]) ([0-9.]+)\s+and ", found["expr"])[0]
    assert (sign, float(bound)) == (">" if rule.side == "above" else "<", rule.bound)
    assert found["labels"]["severity"] == WORDS[rule.severity]
    assert [int(number) for number in re.findall(r">= (\d+)", found["expr"])] == [MIN_REQUESTS]
    assert MonitorSettings().rule_min_requests == MIN_REQUESTS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_looks_at_the_same_series_over_the_same_time(rule: AlertRule) -> None:
    expression = shipped()[rule.name]["expr"]
    assert set(re.findall(r"increase\((\w+)", expression)) == METRICS[rule.name]
    windows = {60 * int(minutes) for minutes in re.findall(r"\[(\d+)m\]", expression)}
    assert windows == {MonitorSettings().rule_window_seconds}
    left_out = re.findall(r'endpoint!~"([^"]+)"', expression)
    assert all(set(each.split("|")) == PROBES for each in left_out)
    assert bool(left_out) == (rule.name != "low_cache_hit_ratio")
