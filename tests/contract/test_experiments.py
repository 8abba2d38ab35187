"""Starting, stopping and remembering experiments, on every store."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any, cast

import pytest

from evergreen.core.errors import EvergreenError, InvalidRequest, NotFound
from evergreen.core.experiment import Variant
from evergreen.core.experiment_verdict import judge
from evergreen.ports.experiments import ExperimentStore
from evergreen.ports.records import RecordStore
from tests.support.events import NOON
from tests.support.tiny import NAME
from tests.support.trying import DIVERSE, Trying, people

FOUND = judge(("control", "b"), (0.5, 0.5), [people(5_000, 500), people(5_000, 700)])


@pytest.fixture
def trying(store: RecordStore) -> Trying:
    return Trying(cast("ExperimentStore", store))


def test_a_start_is_recorded_with_who_and_why_and_said(trying: Trying) -> None:
    made = trying.start(share=0.4, window_hours=6, days=7)
    row = trying.row()
    assert row == made
    assert (row.status, row.started_by, row.reason, row.metric) == ("running", "cli:kim", "do people like it?", "ctr")
    assert (row.window, row.until_time - row.started_time) == (timedelta(hours=6), timedelta(days=7))
    assert row.plan.variants == (Variant("control"), DIVERSE)
    (alert,) = trying.alerts()
    assert (alert.severity, alert.title, alert.event_type) == ("low", f"[low] Experiment diverse of {NAME} started", "experiment_started")
    assert alert.message == "By cli:kim: do people like it? (40% of the users take part until 2025-08-13 03:00: control 50%, b 50%)"
    assert alert.details.title_ko == "[낮음] 실험 diverse 시작"


def test_one_runs_at_a_time_for_a_model(trying: Trying) -> None:
    trying.start()
    with pytest.raises(InvalidRequest, match="diverse runs for tiny: one at a time"):
        trying.start("another")
    trying.start("another", model="other")
    trying.service.stop("diverse", who="api:lee", reason="enough")
    trying.start("third")
    with pytest.raises(InvalidRequest, match="there is an experiment 'diverse' already"):
        trying.start("diverse", model="other")
    assert [row.plan.name for row in trying.service.newest(10, "other")] == ["another"]
    assert {row.plan.name for row in trying.service.newest(10)} == {"diverse", "another", "third"}
    assert len(trying.alerts()) == 4


def test_two_that_start_at_once_are_one(trying: Trying) -> None:
    errors: list[EvergreenError] = []

    def start(name: str) -> None:
        try:
            trying.start(name)
        except EvergreenError as error:
            errors.append(error)

    threads = [threading.Thread(target=start, args=(f"e{at}",)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 5
    assert {type(error) for error in errors} == {InvalidRequest}
    with trying.store.transaction() as tx:
        assert len(tx.experiments.running()) == 1


def test_a_stop_holds_and_a_second_one_changes_nothing(trying: Trying) -> None:
    trying.start()
    trying.clock.advance(timedelta(hours=1))
    row = trying.service.stop("diverse", who="api:lee", reason="enough seen")
    assert (row.status, row.ended_by, row.end_reason, row.ended_time) == ("stopped", "api:lee", "enough seen", NOON + timedelta(hours=1))
    trying.clock.advance(timedelta(hours=1))
    assert trying.service.stop("diverse", who="api:kim", reason="again") == row
    assert [alert.event_type for alert in trying.alerts()] == ["experiment_started", "experiment_stopped"]
    with pytest.raises(NotFound, match="no experiment 'nobody'"):
        trying.service.stop("nobody", who="api:kim", reason="x")


def test_a_look_is_kept_and_the_last_one_stays(trying: Trying) -> None:
    trying.start()
    later = NOON + timedelta(minutes=5)
    with trying.store.transaction() as tx:
        tx.experiments.looked("diverse", later, FOUND)
    assert (trying.row().looked_time, trying.row().found) == (later, FOUND)
    trying.service.stop("diverse", who="api:lee", reason="enough")
    with trying.store.transaction() as tx:
        tx.experiments.looked("diverse", later + timedelta(hours=1), judge(("control", "b"), (0.5, 0.5), [people(1, 0), people(1, 0)]))
    assert trying.row().found == FOUND


def test_versions_are_named_against_the_champion_of_the_moment(trying: Trying) -> None:
    trying.versions()
    row = trying.start("newer", Variant("b", version=2), Variant("c", params={"diversity": 0.2}))
    assert [variant.version for variant in row.plan.variants] == [1, 2, 1]
    assert row.plan.versions == {1, 2}
    trying.crown(3)
    assert [variant.version for variant in trying.row("newer").plan.variants] == [1, 2, 1]


@pytest.mark.parametrize(
    ("champion", "version", "says"),
    [(None, 2, "no version of tiny serves"), (1, 9, "there is no version tiny@9"), (1, 1, "tiny@1 serves already"), (1, 2, "it lost"), (1, 3, "refused it")],
)
def test_what_may_not_be_shown_is_refused(trying: Trying, champion: int | None, version: int, says: str) -> None:
    trying.versions(champion=champion)
    with trying.store.transaction() as tx:
        tx.versions.quarantine(NAME, 2, "it lost")
        tx.versions.judge(NAME, 3, "refused", {"gates": []})
    with pytest.raises(InvalidRequest, match=says):
        trying.start("newer", Variant("b", version=version))


@pytest.mark.parametrize(
    ("more", "error"),
    [
        pytest.param({"model": "nobody"}, NotFound, id="no-model"),
        pytest.param({"reason": " "}, InvalidRequest, id="no-reason"),
        pytest.param({"share": 0.0}, InvalidRequest, id="no-share"),
        pytest.param({"days": 400}, InvalidRequest, id="too-long"),
    ],
)
def test_a_plan_that_cannot_work_is_not_recorded(trying: Trying, more: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        trying.start(**more)
    assert trying.service.newest(10) == []
    assert trying.alerts() == []


def test_the_newest_that_is_over_speaks_of_a_version(trying: Trying) -> None:
    trying.versions()
    with trying.store.transaction() as tx:
        assert tx.experiments.last_with(NAME, 2) is None
    for at, (name, version) in enumerate([("first", 2), ("second", 2), ("third", 3), ("fourth", 2)]):
        trying.clock.at = NOON + timedelta(hours=at)
        trying.start(name, Variant("b", version=version))
        if name != "fourth":
            trying.service.stop(name, who="api:lee", reason="enough")
    with trying.store.transaction() as tx:
        found = [tx.experiments.last_with(NAME, version) for version in (1, 2, 3)]
        assert tx.experiments.last_with("other", 2) is None
    assert [row.plan.name if row else None for row in found] == [None, "second", "third"]
    trying.service.stop("fourth", who="api:lee", reason="enough")
    trying.crown(2)
    trying.clock.advance(timedelta(hours=1))
    trying.start("fifth", Variant("b", version=3))
    trying.service.stop("fifth", who="api:lee", reason="the control is no challenger")
    with trying.store.transaction() as tx:
        assert [row.plan.name if row else None for version in (2, 3) for row in [tx.experiments.last_with(NAME, version)]] == ["fourth", "fifth"]


def test_what_has_finished_is_asked_for_until_it_was(trying: Trying) -> None:
    trying.start()
    with trying.store.transaction() as tx:
        assert tx.experiments.unasked() == []
        assert tx.experiments.end("diverse", "finished", at=NOON, by="monitor", reason="better")
        assert not tx.experiments.end("diverse", "broken", at=NOON, by="monitor", reason="late")
        assert [row.plan.name for row in tx.experiments.unasked()] == ["diverse"]
        tx.experiments.asked("diverse")
        assert tx.experiments.unasked() == []
