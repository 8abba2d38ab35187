"""Which recorded events the demo tells, and in what words."""

from datetime import UTC, datetime, timedelta

import pytest

from evergreen.ports.chronicle import Happened, Latencies
from evergreen.services.story import Story

AT = datetime(2025, 7, 31, tzinfo=UTC)
BEGAN = datetime(2026, 1, 5, 12, tzinfo=UTC)
WINDOW = {"first_day": "2025-07-24", "last_day": "2025-07-30"}
DRIFT = {
    "model_version": "video_performance@1",
    "drift_score": 0.71,
    "window": WINDOW,
    "affected_features": [{"name": "category_id", "effect": 0.6, "q_value": 0.0, "direction": ""}],
}
DEPLOYED = {
    "model_version": "video_performance@2",
    "previous_version": "video_performance@1",
    "epoch": 2,
    "kind": "promote",
    "forced": False,
    "reason": "approved",
    "confirmed_by": ["a", "b"],
}
REFUSED = {"model_version": "video_performance@3", "approved": False, "gates": [{"name": "improvement", "passed": False, "detail": "worse", "numbers": {}}]}


class Records:
    def __init__(self, *happened: Happened) -> None:
        self.happened = list(happened)

    def after(self, seq):
        return [each for each in self.happened if each.seq > seq]

    def latencies(self):
        return Latencies(None, None)

    def champions(self, model):
        return []

    def is_stable(self, model, version):
        return False

    def newest_data(self):
        return None


def told(kind: str, data: dict, led_to: tuple[str, ...] = (), bad: tuple[str, ...] = ()) -> Story:
    story = Story(Records(Happened(1, "e1", kind, "s", AT, data, led_to, BEGAN)), BEGAN)
    story.bad_versions.update(bad)
    story.observe()
    return story


@pytest.mark.parametrize(
    ("kind", "data", "name"),
    [
        pytest.param("model_deployed", DEPLOYED, "promote", id="a-challenger-that-won"),
        pytest.param("model_deployed", DEPLOYED | {"previous_version": None}, "bootstrap", id="the-first-version"),
        pytest.param("model_deployed", DEPLOYED | {"forced": True}, "forced_promote", id="forced"),
        pytest.param("model_deployed", DEPLOYED | {"kind": "rollback"}, "rollback", id="rolled-back"),
        pytest.param("model_evaluation_completed", REFUSED, "candidate_refused", id="refused"),
        pytest.param(
            "model_training_completed",
            {"reason": "data_drift_high", "model_version": "video_performance@2", "rows": 9, "window": WINDOW},
            "retrain",
            id="trained",
        ),
    ],
)
def test_a_step_is_told(kind, data, name):
    story = told(kind, data)
    assert [step.name for step in story.steps] == [name]
    assert story.has(name)
    assert "video_performance@" in story.steps[0].cause


def test_drift_is_a_step_only_where_it_led_to_a_retrain():
    assert told("data_drift_detected", DRIFT, ("monitor",)).steps == []
    story = told("data_drift_detected", DRIFT, ("alert", "retrain"))
    assert story.first_drift_date == "2025-07-24"
    assert "category_id 0.60" in story.steps[0].cause


def test_the_drills_version_is_refused_under_its_own_name():
    assert told("model_evaluation_completed", REFUSED, bad=("video_performance@3",)).has("bad_refused")


def test_what_was_told_is_not_told_again_and_time_is_counted_from_the_start():
    story = Story(Records(Happened(1, "e1", "model_deployed", "s", AT, DEPLOYED, (), BEGAN + timedelta(seconds=12.5))), BEGAN)
    (step,) = story.observe()
    assert step.to_json() == {"name": "promote", "at": "2025-07-31T00:00:00+00:00", "seconds": 12.5, "cause": step.cause}
    assert story.observe() == []


@pytest.mark.parametrize("reason", ["bootstrap", "submitted"])
def test_a_first_or_submitted_training_is_no_retrain(reason):
    assert told("model_training_completed", {"reason": reason}).steps == []
