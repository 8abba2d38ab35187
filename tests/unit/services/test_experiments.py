"""What a look at a running experiment leads to, and what the gates are told of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from evergreen.adapters.memory.store import MemoryStore
from evergreen.core import served_form
from evergreen.core.experiment import Variant
from evergreen.core.experiment_verdict import Counts
from evergreen.services.experiments import experiment_said
from tests.support.events import NOON
from tests.support.tiny import NAME
from tests.support.trying import Trying, people

BETTER, WORSE, ALIKE = (people(5_000, 500), people(5_000, 700)), (people(5_000, 700), people(5_000, 500)), (people(5_000, 500), people(5_000, 503))
SECOND = Variant("b", version=2)


@pytest.fixture
def trying() -> Trying:
    made = Trying(MemoryStore())
    made.versions()
    return made


def test_it_goes_on_while_nothing_is_decided_and_tells_what_it_saw(trying: Trying) -> None:
    trying.start()
    trying.step.look()
    assert experiment_said(trying.row())["says"] == "nobody was shown a list yet"
    trying.counted(*ALIKE)
    trying.clock.advance(timedelta(minutes=1))
    trying.step.look()
    said = experiment_said(trying.row())
    assert (said["status"], said["looked_time"]) == ("running", (NOON + timedelta(minutes=1)).isoformat())
    assert said["says"].startswith("b is no different yet from control")
    assert said["variants"][1]["counts"] == {"exposed": 5_000, "users": 5_000, "lists": 5_000, "clicks": 503, "clickers": 503}
    assert (trying.asked(), len(trying.alerts())) == ([], 1)


def test_a_look_that_took_long_is_followed_by_a_rest(trying: Trying, monkeypatch: pytest.MonkeyPatch) -> None:
    instants = iter([100.0, 102.0, 139.0, 140.0, 140.5, 150.5, 151.0])
    monkeypatch.setattr("evergreen.services.experiment_step.time.monotonic", lambda: next(instants))
    trying.start()
    step, seen = trying.step, []
    for minute in range(4):
        trying.clock.at = NOON + timedelta(minutes=minute)
        step.look()
        seen.append(trying.row().looked_time)
    assert seen == [NOON, NOON, NOON + timedelta(minutes=2), NOON + timedelta(minutes=3)]


@pytest.mark.parametrize(("counts", "word"), [(BETTER, "better"), (WORSE, "worse")])
def test_a_verdict_ends_it_once_and_its_version_is_judged_again(trying: Trying, counts: Sequence[Counts], word: str) -> None:
    trying.start("newer", SECOND)
    trying.counted(*counts, name="newer")
    trying.step.look()
    trying.step.look()
    row = trying.row("newer")
    assert (row.status, row.ended_by) == ("finished", "monitor")
    assert f"b is {word} " in str(row.end_reason)
    assert trying.asked() == [(f"{NAME}@2", "experiment_over")]
    ended = [alert for alert in trying.alerts() if alert.event_type == "experiment_finished"]
    assert [alert.severity for alert in ended] == ["low"]


def test_a_crash_between_the_end_and_the_asking_is_made_good(trying: Trying) -> None:
    trying.start("newer", SECOND)
    trying.counted(*BETTER, name="newer")
    trying.step.look()
    with trying.store.transaction() as tx:
        tables = trying.store.tables  # type: ignore[attr-defined]
        tables.asked.clear()
        assert [row.plan.name for row in tx.experiments.unasked()] == ["newer"]
    trying.step.look()
    assert trying.asked() == [(f"{NAME}@2", "experiment_over")]


def test_what_is_broken_is_stopped_with_an_alert_and_judges_nobody(trying: Trying) -> None:
    trying.start("newer", SECOND)
    trying.counted(people(11_000, 1_500), people(10_000, 900), name="newer")
    trying.step.look()
    row = trying.row("newer")
    assert (row.status, row.ended_by) == ("broken", "monitor")
    assert str(row.end_reason).startswith("the groups are not divided as planned: control 52.4% (50.0% planned)")
    alert = trying.alerts()[-1]
    assert (alert.severity, alert.title, alert.event_type) == ("high", f"[high] Experiment newer of {NAME} is broken", "experiment_broken")
    assert "it found counts for nothing" in alert.message
    assert alert.details.title_ko == "[높음] 실험 newer 중단(집단 배정 이상)"
    assert trying.asked() == []
    assert experiment_said(row)["groups_as_planned"] is False


def test_its_time_ends_it(trying: Trying) -> None:
    trying.start("newer", SECOND, days=2)
    trying.counted(*ALIKE, name="newer")
    trying.clock.advance(timedelta(days=2))
    trying.step.look()
    assert str(trying.row("newer").end_reason).startswith("its time is over: b is no different yet from control")
    assert trying.asked() == [(f"{NAME}@2", "experiment_over")]


def test_another_champion_ends_one_of_versions_and_says_nothing_of_them(trying: Trying) -> None:
    trying.start("newer", SECOND)
    trying.counted(*ALIKE, name="newer")
    trying.crown(3)
    trying.step.look()
    assert trying.row("newer").end_reason == f"{NAME}@3 serves now, it was against {NAME}@1"
    assert trying.asked() == []
    assert trying.gate.outcome(NAME, 2) is None


def test_another_champion_does_not_end_one_of_knobs(trying: Trying) -> None:
    trying.start()
    trying.crown(3)
    trying.step.look()
    assert trying.row().status == "running"


def test_of_several_challengers_all_must_be_decided(trying: Trying) -> None:
    trying.start("three", SECOND, Variant("c", version=3))
    trying.counted(people(5_000, 500), people(5_000, 800), people(5_000, 505), name="three")
    trying.step.look()
    assert trying.row("three").status == "running"
    trying.counted(people(5_000, 500), people(5_000, 800), people(5_000, 300), name="three")
    trying.step.look()
    assert sorted(trying.asked()) == [(f"{NAME}@2", "experiment_over"), (f"{NAME}@3", "experiment_over")]


@pytest.mark.parametrize(("counts", "passed"), [(BETTER, True), (ALIKE, True), (WORSE, False)], ids=["better", "alike", "worse"])
def test_the_gate_is_told_what_was_found(trying: Trying, counts: Sequence[Counts], passed: bool) -> None:
    trying.start("newer", SECOND, days=1)
    assert trying.gate.outcome(NAME, 2) is None, "it runs"
    trying.counted(*counts, name="newer")
    trying.clock.advance(timedelta(days=1))
    trying.step.look()
    outcome = trying.gate.outcome(NAME, 2)
    assert outcome is not None
    assert (outcome.name, outcome.n, outcome.groups_as_planned) == ("newer", 10_000, True)
    assert served_form.experiment(outcome).passed is passed
    assert trying.gate.outcome(NAME, 3) is None


def test_a_broken_one_refuses_its_version_until_another_was_made(trying: Trying) -> None:
    trying.start("newer", SECOND)
    trying.counted(people(11_000, 1_500), people(10_000, 900), name="newer")
    trying.step.look()
    result = served_form.experiment(trying.gate.outcome(NAME, 2))
    assert not result.passed
    assert "groups were not divided as planned" in result.detail
    trying.clock.advance(timedelta(days=1))
    trying.start("again", SECOND)
    trying.counted(*BETTER, name="again")
    trying.step.look()
    assert served_form.experiment(trying.gate.outcome(NAME, 2)).passed


def test_a_broken_one_without_a_number_refuses_too(trying: Trying) -> None:
    trying.start("newer", SECOND)
    trying.counted(replace(people(400, 0), users=0), Counts(), name="newer")
    trying.step.look()
    outcome = trying.gate.outcome(NAME, 2)
    assert outcome is not None
    assert math.isnan(outcome.relative)
    assert not served_form.experiment(outcome).passed


def test_one_that_was_stopped_too_early_says_nothing(trying: Trying) -> None:
    trying.start("newer", SECOND)
    trying.counted(people(50, 5), people(50, 9), name="newer")
    trying.step.look()
    trying.service.stop("newer", who="api:lee", reason="not now")
    assert trying.gate.outcome(NAME, 2) is None
