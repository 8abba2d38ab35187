"""The performance check against real tables: which predictions it looks at, what it compares them with, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import FixedClock
from evergreen.core.errors import Fenced
from evergreen.core.release import DEFAULT_ZONE, released_at
from evergreen.ports.champions import DeploymentKind, DeploymentRow
from evergreen.ports.versions import VersionRow
from evergreen.services import check_performance
from evergreen.services.candidates import Origin, new_version
from evergreen.services.carry_out import CarryOut
from evergreen.services.check_performance import CheckPerformance
from evergreen.services.serving_now import serving_now
from evergreen.services.training import Candidate, train_candidate
from evergreen.settings import Settings
from tests.support.claims import claimed, emptied, said
from tests.support.tiny import BREAK, NAME, TinyPredictor, tiny_rows, tiny_spec
from tests.support.traffic import Asked, Told, record

pytestmark = pytest.mark.connected
SPEC = tiny_spec()
ROWS = tiny_rows(120)
SINCE = datetime(2025, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOOD = train_candidate(SPEC, ROWS, released_at(date(2025, 1, 31)))
AFTER = train_candidate(SPEC, ROWS, released_at(BREAK + timedelta(days=25)), BREAK)


@dataclass
class Bench:
    store: PostgresStore
    clock: FixedClock
    registry: MemoryRegistry

    def version(self, candidate: Candidate, *, stable: bool = False) -> int:
        registered = self.registry.register(new_version(SPEC, candidate, Origin(uuid4(), "test", SINCE), 0.1))
        errors = np.abs(_predicted(candidate, candidate.evaluation) - candidate.evaluation["y"])
        row = VersionRow(NAME, registered.version, None, registered.run_id, "memory:", "test", date(2025, 1, 1), date(2025, 1, 24), 400, SINCE, stable=stable)
        with self.store.transaction() as tx:
            tx.versions.insert(row)
            tx.versions.judge(NAME, registered.version, "approved", {"judged_against": None, "baseline_errors": errors.tolist()})
        return registered.version

    def serve(self, version: int, *, previous: int | None = None, since: datetime = SINCE, forced: bool = False, kind: DeploymentKind = "promote") -> None:
        with self.store.transaction() as tx:
            seen = tx.champions.get(NAME)
            epoch = 0 if seen is None else seen.epoch
            row = DeploymentRow(uuid4(), NAME, version, previous, kind, "preparing", epoch + 1, None, forced, "test")
            tx.deployments.start(row)
            tx.champions.compare_and_set(NAME, version, seen_epoch=epoch, deployment_id=row.id, since=since)
            tx.deployments.flipped(row.id, [], since)
            tx.deployments.confirmed(row.id)

    def traffic(self, version: int, candidate: Candidate, days: Sequence[date], *, told: float = 1.0, shadow: tuple[int, Candidate] | None = None) -> None:
        """Each day's rows predicted at 10:00 and their outcomes told an hour later."""
        rows = ROWS[ROWS["day"].dt.date.isin(days)].reset_index(drop=True)
        predicted = _predicted(candidate, rows)
        also = None if shadow is None else _predicted(shadow[1], rows)
        asked, outcomes = [], []
        for at, row in rows.iterrows():
            number = int(str(at))
            time = datetime.combine(row["day"].date(), datetime.min.time(), UTC) + 10 * HOUR
            beside = None if shadow is None or also is None else (shadow[0], float(also[number]))
            asked.append(Asked(row["entity"], time, float(predicted[number]), {"x": row["x"], "group": row["group"]}, beside))
            if number % 10 < told * 10:
                outcomes.append(Told(row["entity"], time + HOUR, {"y": row["y"]}, row["y"] if number % 2 else None))
        record(self.store, NAME, version, asked, outcomes)

    def check(self, as_of: datetime) -> dict[str, Any]:
        self.clock.at = as_of
        claim = claimed(self.store, self.clock, ActionKind.PERFORMANCE_CHECK, {}, model=NAME, target=NAME)
        return dict(self.use_case().run(claim))

    def use_case(self) -> CheckPerformance:
        return CheckPerformance(self.store, self.clock, CarryOut(self.store, self.clock), self.registry, lambda _: SPEC)

    def degraded(self) -> list[dict[str, Any]]:
        return [event.data for event in said(self.store, "/airflow/performance_check")]

    def stable(self, version: int) -> bool:
        with self.store.transaction() as tx:
            row = tx.versions.get(NAME, version)
        return row is not None and row.stable


def _predicted(candidate: Candidate, rows: pd.DataFrame) -> Any:
    return TinyPredictor(candidate.fitted.estimators, candidate.fitted.card).predict(rows)


def days(first: date, count: int) -> list[date]:
    return [first + timedelta(days=number) for number in range(count)]


def evening(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC) + 14 * HOUR


@pytest.fixture
def bench(postgres_settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    yield Bench(store, FixedClock(SINCE), MemoryRegistry(tmp_path))
    store.close()


def test_without_a_champion_there_is_nothing_to_check(bench: Bench) -> None:
    assert bench.check(SINCE)["outcome"] == "no_champion"


def test_calm_weeks_are_fine_and_make_the_version_stable(bench: Bench) -> None:
    first = bench.version(GOOD)
    bench.serve(first)
    for week in range(4):
        bench.traffic(first, GOOD, days(date(2025, 2, 1) + timedelta(days=7 * week), 7))
        result = bench.check(evening(date(2025, 2, 7) + timedelta(days=7 * week)))
        assert (result["outcome"], result["n"]) == ("fine", 140 if week == 0 else 200)
        assert result["became_stable"] == (week == 1)
    assert bench.degraded() == []
    assert bench.stable(first)


def test_a_break_is_reported_in_its_first_week_with_its_numbers(bench: Bench) -> None:
    first = bench.version(GOOD, stable=True)
    bench.serve(first)
    bench.traffic(first, GOOD, days(BREAK, 7))
    result = bench.check(evening(BREAK + timedelta(days=6)))
    assert result["outcome"] == "degraded"
    (event,) = bench.degraded()
    assert event["severity"] == "medium"
    assert event["interval"][0] > 0.43
    assert event["performance_drop"] == pytest.approx(event["current_performance"] / event["baseline_performance"] - 1)
    assert (event["window"], event["n"]) == ({"first_day": "2025-03-01", "last_day": "2025-03-07"}, 140)
    assert (event["rollback_target"], event["rollback_helps"]) == (None, False)


def test_a_window_goes_back_by_whole_days_only_until_there_are_enough(bench: Bench) -> None:
    first = bench.version(GOOD)
    bench.serve(first)
    bench.traffic(first, GOOD, days(date(2025, 2, 1), 20))
    result = bench.check(evening(date(2025, 2, 20)))
    assert (result["n"], result["window"]) == (200, ["2025-02-11", "2025-02-20"])


def test_nothing_younger_than_the_cause_is_looked_at(bench: Bench) -> None:
    first = bench.version(GOOD, stable=True)
    bench.serve(first)
    bench.traffic(first, GOOD, [*days(BREAK - timedelta(days=7), 7), *days(BREAK, 7)])
    assert bench.check(evening(BREAK - timedelta(days=1)))["outcome"] == "fine"


def test_outcomes_told_later_than_the_cause_do_not_count(bench: Bench) -> None:
    first = bench.version(GOOD)
    bench.serve(first)
    bench.traffic(first, GOOD, days(date(2025, 2, 1), 7))
    result = bench.check(datetime(2025, 2, 7, 10, 30, tzinfo=UTC))
    assert (result["labelled"], result["predicted"]) == (120, 140)


@pytest.mark.parametrize(("count", "outcome"), [pytest.param(2, "too_few_labels", id="forty"), pytest.param(3, "fine", id="sixty")])
def test_few_outcomes_say_nothing(bench: Bench, count: int, outcome: str) -> None:
    first = bench.version(GOOD)
    bench.serve(first)
    bench.traffic(first, GOOD, days(date(2025, 2, 1), count))
    assert bench.check(evening(date(2025, 2, count)))["outcome"] == outcome


def test_coverage_says_how_many_outcomes_are_known(bench: Bench) -> None:
    first = bench.version(GOOD)
    bench.serve(first)
    bench.traffic(first, GOOD, days(date(2025, 2, 1), 7), told=0.5)
    assert (bench.check(evening(date(2025, 2, 7)))["n"]) == 70
    with bench.store.transaction() as tx:
        report = tx.performance.last(NAME, first, since=SINCE)
    assert report is not None
    assert report.coverage == 0.5


def test_coverage_is_of_the_window_not_of_the_whole_time(bench: Bench) -> None:
    first = bench.version(GOOD)
    bench.serve(first)
    bench.traffic(first, GOOD, days(date(2025, 2, 1), 7))
    bench.check(evening(date(2025, 2, 7)))
    bench.traffic(first, GOOD, days(date(2025, 2, 8), 20), told=0.6)
    result = bench.check(evening(date(2025, 2, 27)))
    assert (result["labelled"], result["predicted"]) == (380, 540)
    assert result["coverage"] == pytest.approx(0.6, abs=0.01)
    with bench.store.transaction() as tx:
        report = tx.performance.last(NAME, first, since=SINCE)
    assert report is not None
    assert report.coverage == result["coverage"]


def test_an_entity_counts_once_however_often_it_was_asked_for(bench: Bench) -> None:
    first = bench.version(GOOD)
    bench.serve(first)
    for _ in range(3):
        bench.traffic(first, GOOD, days(date(2025, 2, 1), 4))
    result = bench.check(evening(date(2025, 2, 4)))
    assert (result["n"], result["predicted"]) == (80, 80)


def test_a_window_is_tested_once(bench: Bench) -> None:
    first = bench.version(GOOD, stable=True)
    bench.serve(first)
    bench.traffic(first, GOOD, days(BREAK, 7))
    at = evening(BREAK + timedelta(days=6))
    assert bench.check(at)["outcome"] == "degraded"
    assert bench.check(at)["outcome"] == "nothing_new"
    bench.traffic(first, GOOD, [BREAK + timedelta(days=7)])
    assert bench.check(at + timedelta(days=1))["outcome"] == "nothing_new"  # 20 more outcomes
    assert len(bench.degraded()) == 1


def test_two_checkers_at_once_report_one_window(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bench.version(GOOD, stable=True)
    bench.serve(first)
    bench.traffic(first, GOOD, days(BREAK, 7))
    bench.clock.at = evening(BREAK + timedelta(days=6))
    claims = [claimed(bench.store, bench.clock, ActionKind.PERFORMANCE_CHECK, {}, model=NAME, target=NAME)]
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("UPDATE actions SET model = 'other'")  # free the kind: the monitor runs the same use case
    claims.append(claimed(bench.store, bench.clock, ActionKind.PERFORMANCE_CHECK, {}, model=NAME, target=NAME))
    with bench.store.transaction() as tx:
        both_read_first = serving_now(tx, SPEC, bench.clock.at, ZoneInfo(DEFAULT_ZONE))
    monkeypatch.setattr(check_performance, "serving_now", lambda *_: both_read_first)
    check = bench.use_case()
    outcomes = [check.run(claim)["outcome"] for claim in claims]
    assert outcomes == ["degraded", "already_reported"]
    assert len(bench.degraded()) == 1


def test_a_look_without_an_action_reports_the_same_once(bench: Bench) -> None:
    first = bench.version(GOOD, stable=True)
    bench.serve(first)
    bench.traffic(first, GOOD, days(BREAK, 7))
    bench.clock.at = at = evening(BREAK + timedelta(days=6))
    looked = bench.use_case().look(NAME, at)
    assert (looked["outcome"], bench.use_case().look(NAME, at)["outcome"]) == ("degraded", "nothing_new")
    assert bench.check(at)["outcome"] == "nothing_new"
    (event,) = said(bench.store, "/monitor")
    assert (event.type, event.subject, event.data["n"]) == ("model_performance_degraded", NAME, 140)
    assert bench.degraded() == []
    with bench.store.transaction() as tx:
        report = tx.performance.last(NAME, first, since=SINCE)
    assert report is not None
    assert report.action_id is None


@pytest.mark.parametrize("action_first", [True, False], ids=["action-first", "look-first"])
def test_the_monitor_and_a_run_at_once_report_one_window(bench: Bench, monkeypatch: pytest.MonkeyPatch, action_first: bool) -> None:
    first = bench.version(GOOD, stable=True)
    bench.serve(first)
    bench.traffic(first, GOOD, days(BREAK, 7))
    bench.clock.at = at = evening(BREAK + timedelta(days=6))
    claim = claimed(bench.store, bench.clock, ActionKind.PERFORMANCE_CHECK, {}, model=NAME, target=NAME)
    with bench.store.transaction() as tx:
        seen = serving_now(tx, SPEC, at, ZoneInfo(DEFAULT_ZONE))
    monkeypatch.setattr(check_performance, "serving_now", lambda *_: seen)
    check = bench.use_case()
    both = [lambda: check.run(claim), lambda: check.look(NAME, at)]
    outcomes = [ask()["outcome"] for ask in (both if action_first else reversed(both))]
    assert outcomes == ["degraded", "already_reported"]
    assert len(bench.degraded()) + len(said(bench.store, "/monitor")) == 1


def test_calm_looks_make_a_version_stable_too(bench: Bench) -> None:
    first = bench.version(GOOD)
    bench.serve(first)
    bench.traffic(first, GOOD, days(date(2025, 2, 1), 14))
    bench.clock.at = at = evening(date(2025, 2, 14))
    assert bench.use_case().look(NAME, at)["became_stable"] is True
    assert bench.stable(first)


def test_an_older_stable_version_that_was_not_worse_is_named(bench: Bench) -> None:
    old, bad = bench.version(GOOD, stable=True), bench.version(AFTER)
    bench.serve(old)
    bench.serve(bad, previous=old, forced=True)
    bench.traffic(bad, AFTER, days(date(2025, 2, 1), 5))
    result = bench.check(evening(date(2025, 2, 5)))
    assert (result["outcome"], result["against"]) == ("degraded", "tiny@1 on the same rows")
    (event,) = bench.degraded()
    assert (event["rollback_target"], event["rollback_helps"]) == ("tiny@1", True)


def test_the_shadows_own_words_are_taken_before_scoring_again(bench: Bench) -> None:
    old, new = bench.version(GOOD, stable=True), bench.version(GOOD)
    bench.serve(new, previous=old)
    bench.traffic(new, GOOD, days(date(2025, 2, 1), 5), shadow=(old, GOOD))
    bench.registry.spoil(NAME, old)  # it cannot be loaded any more; what it said then is recorded
    assert bench.check(evening(date(2025, 2, 5)))["against"] == "tiny@1 on the same rows"


def test_when_the_world_changed_the_older_version_does_not_help(bench: Bench) -> None:
    oldest, old = bench.version(GOOD, stable=True), bench.version(GOOD, stable=True)
    bench.serve(old, previous=oldest)
    bench.traffic(old, GOOD, days(BREAK, 7))
    shifted = bench.check(evening(BREAK + timedelta(days=6)))
    assert shifted["outcome"] == "degraded"
    # As bad as the one that serves: not worse, so it is named as helping no less.
    assert bench.degraded()[0]["rollback_target"] == "tiny@1"


def test_a_version_in_its_bake_is_compared_with_the_one_it_replaced_not_with_better_times(bench: Bench) -> None:
    old, new = bench.version(GOOD, stable=True), bench.version(GOOD)
    bench.serve(new, previous=old, since=evening(BREAK - timedelta(days=1)))
    bench.traffic(new, GOOD, days(BREAK, 7))
    result = bench.check(evening(BREAK + timedelta(days=6)))
    assert (result["outcome"], result["drop"]) == ("fine", 0.0)


@pytest.mark.parametrize("before", [True, False], ids=["promoted-over-another", "the-first-one"])
def test_put_back_by_a_revert_it_is_not_compared_with_the_one_that_failed(bench: Bench, before: bool) -> None:
    oldest, old, failed = bench.version(AFTER), bench.version(GOOD), bench.version(AFTER)
    bench.serve(old, previous=oldest if before else None)
    bench.serve(failed, previous=old, since=SINCE + HOUR)
    bench.serve(old, previous=failed, since=SINCE + 2 * HOUR, kind="revert")
    bench.traffic(old, GOOD, days(date(2025, 2, 2), 7))
    assert bench.check(evening(date(2025, 2, 8)))["against"] == ("tiny@1 on the same rows" if before else "its own 140 held-out rows")


def test_a_breach_keeps_a_version_from_becoming_stable(bench: Bench) -> None:
    old, bad = bench.version(GOOD, stable=True), bench.version(AFTER)
    bench.serve(bad, previous=old, forced=True)
    bench.traffic(bad, AFTER, days(date(2025, 2, 1), 5))
    bench.check(evening(date(2025, 2, 5)))
    bench.traffic(bad, GOOD, days(date(2025, 2, 10), 20))
    assert bench.check(evening(date(2025, 3, 1)))["became_stable"] is False
    assert not bench.stable(bad)


def test_a_bake_needs_a_day_even_with_many_outcomes(bench: Bench) -> None:
    first = bench.version(GOOD)
    bench.serve(first, since=evening(date(2025, 2, 10)) - 12 * HOUR)
    rows = ROWS[ROWS["day"].dt.date < date(2025, 2, 1)].head(300)
    predicted = _predicted(GOOD, rows)
    at = evening(date(2025, 2, 10)) - 2 * HOUR
    asked = [Asked(entity, at, float(value)) for entity, value in zip(rows["entity"], predicted, strict=True)]
    record(bench.store, NAME, first, asked, [Told(entity, at, {"y": y}) for entity, y in zip(rows["entity"], rows["y"], strict=True)])
    assert bench.check(evening(date(2025, 2, 10)))["became_stable"] is False
    assert bench.check(evening(date(2025, 2, 11)))["became_stable"] is True


def test_outcomes_that_are_no_label_are_left_out(bench: Bench) -> None:
    first = bench.version(GOOD)
    bench.serve(first)
    at = datetime(2025, 2, 2, tzinfo=UTC)
    asked = [Asked(f"e{number}", at, 1.0) for number in range(60)]
    record(bench.store, NAME, first, asked, [Told(row.entity, at + HOUR, {"y": "many"}) for row in asked])
    assert bench.check(at + 2 * HOUR)["outcome"] == "too_few_labels"


def test_a_zombie_writes_no_report(bench: Bench) -> None:
    first = bench.version(GOOD, stable=True)
    bench.serve(first)
    bench.traffic(first, GOOD, days(BREAK, 7))
    bench.clock.at = evening(BREAK + timedelta(days=6))
    claim = claimed(bench.store, bench.clock, ActionKind.PERFORMANCE_CHECK, {}, model=NAME, target=NAME)
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("UPDATE actions SET token = token + 1")
    with pytest.raises(Fenced):
        bench.use_case().run(claim)
    with bench.store.transaction() as tx:
        assert tx.performance.last(NAME, first, since=SINCE) is None
