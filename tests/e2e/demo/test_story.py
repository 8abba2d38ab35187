"""The whole story, from nothing to a rollback, on the whole stack in a home of its own. Real lists where they are, else the simulator."""

from __future__ import annotations

from datetime import date

import pytest

from tests.support.lived import Lived, lists

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(1500)]
BREAK = date(2025, 7, 24)


@pytest.fixture(scope="module")
def told(lived: Lived) -> dict:
    return lived.told


def steps(told: dict, name: str) -> list[dict]:
    return [step for step in told["steps"] if step["name"] == name]


def test_nothing_is_retrained_promoted_or_rolled_back_while_it_is_calm(told):
    early = [step for step in told["steps"] if step["name"] != "bootstrap" and step["at"][:10] < BREAK.isoformat()]
    assert early == []


def test_the_break_is_found_in_its_first_window(told):
    assert told["first_drift_date"] == BREAK.isoformat()


def test_the_story_has_all_its_steps_in_order(told):
    firsts = [next(n for n, step in enumerate(told["steps"]) if step["name"] == name) for name in ("bootstrap", "drift", "retrain", "promote")]
    assert firsts == sorted(firsts)
    order = [step["name"] for step in told["steps"] if step["name"] in {"bad_refused", "forced_promote", "rollback"}]
    assert order == ["bad_refused", "forced_promote", "rollback"]


def test_the_challenger_is_promoted_by_the_end_of_august(told):
    promoted = steps(told, "promote")[0]
    assert promoted["at"][:10] <= "2025-09-01"


def test_the_rollback_returns_to_a_version_that_served_before(told):
    *earlier, forced, last = told["champion_versions"]
    assert last in earlier
    assert forced not in earlier


def test_the_first_champion_loses_half_when_the_world_changes(told):
    metrics = told["metrics"]
    assert metrics["after_break_mae"] >= 1.5 * metrics["calm_mae"]
    assert metrics["retrained_mae"] < metrics["after_break_mae"]


@pytest.mark.skipif(not lists(), reason="the figures are those of the real lists; without them the simulator played the story")
def test_the_figures_on_korea(told):
    metrics = told["metrics"]
    assert metrics["calm_mae"] <= 0.23
    assert metrics["retrained_mae"] <= 0.23
    assert metrics["top_quartile_auc"] >= 0.84


def test_latencies_were_measured(told):
    assert 0 < told["event_to_decision_p99_ms"] < 60_000
    assert 0 < told["action_to_run_p95_s"] < 120
