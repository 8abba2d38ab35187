"""A version whole, its report, the ledger, the policy and a back-test as serving shows them: real Postgres, and a real child process."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.clock import PlatformClock
from evergreen.adapters.postgres.leadership import wait_turn
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.api_policy import BacktestRequest, ThresholdSaid
from evergreen.core.clock import FixedClock
from evergreen.core.errors import InvalidRequest, NotFound, TooMany, Unavailable
from evergreen.core.evaluation import Interval, Scorecard, better, gate
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.versions import VersionRow
from evergreen.settings import Settings
from evergreen.workers.backtest_runner import TURN
from serving import policy_desk
from serving.model_desk import ModelDesk
from serving.own_store import OwnStore
from serving.policy_desk import PolicyDesk
from tests.support.deciding import DRIFT, FILE, POLICY
from tests.support.events import event
from tests.support.intake_bench import Bench
from tests.support.tiny import NAME, tiny_spec

pytestmark = [pytest.mark.anyio, pytest.mark.connected]
NOW = datetime(2025, 8, 11, 1, tzinfo=UTC)
DAYS = (date(2025, 7, 24), date(2025, 8, 3))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def desk(store: PostgresStore, postgres_settings: Settings, tmp_path: Path) -> ModelDesk:
    stores = OwnStore(postgres_settings.postgres.dsn.get_secret_value())
    return ModelDesk(stores, FixedClock(NOW), MemoryRegistry(tmp_path), {NAME: tiny_spec()}, 1)


def served(store: PostgresStore, number: int, reason: str) -> None:
    row = VersionRow(NAME, number, None, f"run-{number}", "memory:", "manual", *DAYS, 812, NOW, metrics={"mae_y": 0.25})
    gates = (gate("artifact", True, "verified", seconds=1.2), better(Interval(-0.31, -0.42, -0.18), 0.214, 0.31, margin=0.02, min_improvement=0.02))
    card = Scorecard(row.name, "median", gates, *DAYS, 110, errors=(0.1, 0.2, 0.3, 0.4))
    deployment = DeploymentRow(uuid4(), NAME, number, None, "promote", "preparing", number, None, False, reason)
    with store.transaction() as tx:
        tx.versions.insert(row)
        tx.versions.judge(NAME, number, "approved", card.to_json())
        tx.deployments.start(deployment)
        tx.deployments.flipped(deployment.id, ("a",), NOW)
        tx.deployments.confirmed(deployment.id)
        tx.champions.compare_and_set(NAME, number, seen_epoch=number - 1, deployment_id=deployment.id, since=NOW)


async def test_a_version_whole_with_every_gates_numbers(store: PostgresStore, desk: ModelDesk) -> None:
    served(store, 1, "approved by the gates")
    found = await desk.version(NAME, 1)
    assert [(one.name, one.passed) for one in found.gates] == [("artifact", True), ("improvement", True)]
    assert found.gates[1].numbers["relative_low"] == -0.42
    assert (found.aliases, found.champion, found.window) == (["champion"], True, list(DAYS))
    assert found.held_out_interval is not None
    assert found.held_out_interval[0] < 0.25 < found.held_out_interval[1]
    assert (found.performance, found.estimate) == (None, None)
    with pytest.raises(NotFound):
        await desk.version(NAME, 2)


async def test_versions_come_in_pages_and_their_errors_stay_in_the_database(store: PostgresStore, desk: ModelDesk) -> None:
    for number in (1, 2, 3):
        served(store, number, "approved by the gates")
    first = await desk.versions(NAME, 2, None)
    assert ([one.number for one in first.versions], first.next_before) == ([3, 2], 2)
    second = await desk.versions(NAME, 2, first.next_before)
    assert ([one.number for one in second.versions], second.next_before) == ([1], None)
    whole = await desk.version(NAME, 2)
    assert first.versions[1].held_out_interval == whole.held_out_interval
    assert whole.held_out_interval == pytest.approx([0.25 - 1.96 * 0.12909944 / 2, 0.25 + 1.96 * 0.12909944 / 2])
    assert (await desk.versions(NAME, 2, 1)).versions == []


async def test_its_report_is_a_page_in_which_words_stay_text(store: PostgresStore, desk: ModelDesk) -> None:
    served(store, 1, "<img src=x onerror=alert(1)>")
    html = (await desk.report(NAME, 1)).decode()
    assert html.startswith("<!doctype html>")
    assert "&lt;img src=x" in html
    assert "<img" not in html


async def test_the_ledger_has_a_line_for_each_retrain(store: PostgresStore, desk: ModelDesk) -> None:
    served(store, 1, "approved by the gates")
    found = await desk.ledger(NAME)
    [entry] = found.entries
    assert (entry.version, entry.promised, entry.promised_interval) == ("tiny@1", -0.31, [-0.42, -0.18])
    assert (found.totals.retrains, found.totals.compared, found.totals.mean_realised) == (1, 0, None)


async def test_without_postgres_it_is_unavailable(tmp_path: Path) -> None:
    away = OwnStore("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        await ModelDesk(away, FixedClock(NOW), MemoryRegistry(tmp_path), {NAME: tiny_spec()}, 1).versions(NAME, 10, None)
    with pytest.raises(Unavailable):
        await PolicyDesk(away, FILE).show()


# The policy


@pytest.fixture
def policy(store: PostgresStore, postgres_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PolicyDesk:
    """With a day of drift behind it, each two hours after the one before. Its child finds Postgres as it does in a stack: by the environment."""
    dsn = postgres_settings.postgres.dsn.get_secret_value()
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path))
    monkeypatch.setenv("EVERGREEN_POSTGRES__DSN", dsn)
    bench = Bench(store, FixedClock(PlatformClock(store).now() - timedelta(hours=12)))
    for score in (0.5, 0.7, 0.5, 0.7):
        bench.send(event(DRIFT, at=bench.clock.now(), drift_score=score, severity="medium"))
        bench.clock.advance(timedelta(hours=2))
    return PolicyDesk(OwnStore(dsn), FILE)


async def test_the_matrix_is_that_of_the_policy_in_force(policy: PolicyDesk) -> None:
    found = await policy.show()
    rules = {one.event_type: one for one in found.rules}
    assert found.hash == POLICY.hash
    assert rules[DRIFT].always == ["alert"]
    [medium] = rules[DRIFT].by_severity["medium"]
    assert (medium.action, medium.when, medium.reason) == ("retrain", "maintenance_window", "data_drift_medium")
    assert rules["data_ingested"].alike
    assert (found.cooldowns["retrain"], found.stale_after, found.daily_limits["retrain"]) == (3600, 86400, 6)
    assert ThresholdSaid(event_type=DRIFT, severity="high", field="drift_score", above=0.6) in found.thresholds


def to(above: float) -> BacktestRequest:
    return BacktestRequest(days=7, thresholds=[ThresholdSaid(event_type=DRIFT, severity="high", field="drift_score", above=above)])


async def test_a_moved_threshold_shows_what_would_have_been_otherwise(policy: PolicyDesk) -> None:
    found = await policy.backtest(to(0.4))
    assert found.decisions == 4
    assert 0 < found.differing <= 4
    assert found.running_hash == POLICY.hash != found.moved_hash
    assert {one.type for one in found.examples} == {DRIFT}
    assert all(one.running != one.moved for one in found.examples)
    same = await policy.backtest(to(0.6))
    assert (same.differing, same.examples, same.running_hash) == (0, [], same.moved_hash)


async def test_what_cannot_be_moved_is_said_in_the_same_words(policy: PolicyDesk) -> None:
    unknown = ThresholdSaid(event_type=DRIFT, severity="low", field="drift_score", above=0.4)
    with pytest.raises(InvalidRequest, match="GET /policy lists them"):
        await policy.backtest(BacktestRequest(thresholds=[unknown]))


async def test_one_that_takes_too_long_is_ended_and_another_may_be_asked(policy: PolicyDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_desk, "SECONDS", 0.05)
    with pytest.raises(InvalidRequest, match="look at fewer days"):
        await policy.backtest(to(0.4))


async def test_another_workers_is_waited_for_and_then_said(policy: PolicyDesk, store: PostgresStore) -> None:
    with store.transaction() as tx:
        assert wait_turn(tx.connection, TURN, 1)
        with pytest.raises(TooMany, match="at work already"):
            await policy.backtest(to(0.4))
    assert (await policy.backtest(to(0.4))).decisions == 4


async def test_one_that_finds_no_database_is_unavailable(policy: PolicyDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_POSTGRES__DSN", "postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable, match="ask again"):
        await policy.backtest(to(0.4))
