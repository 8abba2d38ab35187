"""Shadow trials against real tables: when one begins, what ends it, and what its gate makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.adapters.fleet_registry import PostgresFleet
from evergreen.contracts.actions import ActionKind
from evergreen.core.evaluation import Scorecard, gate
from evergreen.ports.experiments import NoExperiments
from evergreen.services.evaluate import Evaluate
from evergreen.services.model_work import ModelWork
from evergreen.services.shadow_trial import ShadowRules, ShadowTrialStep
from evergreen.settings import Settings
from tests.support.claims import said
from tests.support.deploying import NOW, Bench, deploy_bench
from tests.support.tiny import NAME, FrameLake, tiny_rows, tiny_spec
from tests.support.traffic import Asked, Told, record

pytestmark = pytest.mark.connected
HOURS = 48.0


@dataclass
class Tried:
    bench: Bench
    settings: Settings
    replaying: bool = False
    rows: int = 100

    @property
    def step(self) -> ShadowTrialStep:
        bench = self.bench
        return ShadowTrialStep(
            bench.store, bench.clock, bench.carry_out, lambda _: ShadowRules(self.rows, HOURS), lambda _: tiny_spec(), lambda: self.replaying
        )

    def evaluate(self) -> dict[str, Any]:
        bench = self.bench
        work = ModelWork(bench.store, bench.clock, bench.carry_out, bench.registry, FrameLake(tiny_rows(1)), lambda _: tiny_spec())
        return dict(Evaluate(work, NoExperiments(), self.step).run(bench.claim(ActionKind.EVALUATE, 2)))

    def asked(self, count: int, *, candidate: float | None, champion: float = 1.5, labelled: int | None = None) -> None:
        """The champion was asked so often, and of so many it came true that 1 was right, give or take."""
        entities = [f"{self.bench.clock.now():%d%H%M}-{at}" for at in range(count)]
        asked = [Asked(entity, NOW + timedelta(minutes=1), champion + at % 7 / 50, {}) for at, entity in enumerate(entities)]
        told = [
            Told(entity, NOW + timedelta(hours=2), {"y": 1.0 + at % 5 / 20}) for at, entity in enumerate(entities[: count if labelled is None else labelled])
        ]
        record(self.bench.store, NAME, 1, asked, told)
        with self.bench.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("UPDATE predictions SET shadow_version = 2, shadow_predicted = %s WHERE shadow_version IS NULL", (candidate,))

    def later(self, hours: float) -> None:
        self.bench.clock.at = NOW + timedelta(hours=hours)

    def asked_again(self) -> int:
        with self.bench.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM actions WHERE reason = 'shadow_trial_over' AND status = 'pending'")
            row = cursor.fetchone()
        return int(row[0]) if row else 0

    def verdicts(self) -> list[dict[str, Any]]:
        return [event.data for event in said(self.bench.store, "/airflow/evaluate") if event.type == "model_evaluation_completed"]


@pytest.fixture
def tried(postgres_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tried]:
    """Version 1 serves; the other gates approve of 2."""
    card = Scorecard(f"{NAME}@2", f"{NAME}@1", (gate("improvement", True, "better"),), date(2025, 1, 1), date(2025, 1, 7), 60)
    monkeypatch.setattr(Evaluate, "_judge", lambda *_: card)
    with deploy_bench(postgres_settings, tmp_path) as bench:
        bench.version(1, stable=True)
        bench.promote(1)
        bench.version(2, "candidate")
        yield Tried(bench, postgres_settings)


def test_what_passes_every_other_gate_is_tried_and_not_approved_yet(tried: Tried) -> None:
    assert tried.evaluate()["outcome"] == "shadow_trial"
    assert tried.evaluate()["outcome"] == "shadow_trial"
    tried.step.end()
    assert (tried.verdicts(), tried.asked_again()) == ([], 0)
    with tried.bench.store.transaction() as tx:
        row = tx.versions.get(NAME, 2)
    assert row is not None
    assert row.status == "candidate"


@pytest.mark.parametrize(
    ("candidate", "approved"), [pytest.param(1.1, True, id="better"), pytest.param(1.5, True, id="alike"), pytest.param(2.5, False, id="worse")]
)
def test_enough_outcomes_end_it_and_its_gate_is_part_of_the_verdict(tried: Tried, candidate: float, approved: bool) -> None:
    tried.evaluate()
    tried.asked(120, candidate=candidate)
    tried.later(3)
    tried.step.end()
    tried.step.end()
    assert tried.asked_again() == 1
    assert tried.evaluate()["approved"] is approved
    [verdict] = tried.verdicts()
    [shadow] = [one for one in verdict["gates"] if one["name"] == "shadow"]
    assert (shadow["passed"], shadow["numbers"]["n"], shadow["numbers"]["asked"]) == (approved, 120.0, 120.0)


def test_one_that_cannot_answer_is_over_at_once_and_refused(tried: Tried) -> None:
    tried.evaluate()
    tried.asked(60, candidate=None, labelled=0)
    tried.later(1)
    tried.step.end()
    assert tried.asked_again() == 1
    assert tried.evaluate()["failed_gates"] == ["shadow"]
    assert "no answer to 60 of 60 requests" in tried.verdicts()[0]["gates"][-1]["detail"]


def test_when_its_time_is_over_too_few_outcomes_have_shown_nothing(tried: Tried) -> None:
    tried.evaluate()
    tried.asked(60, candidate=9.0, labelled=10)
    tried.later(HOURS - 1)
    tried.step.end()
    assert tried.asked_again() == 0
    tried.later(HOURS)
    tried.step.end()
    assert tried.evaluate()["approved"]
    assert "10 outcomes are too few to compare" in tried.verdicts()[0]["gates"][-1]["detail"]


def test_beside_another_champion_it_begins_again(tried: Tried) -> None:
    tried.evaluate()
    tried.bench.version(3, stable=True)
    tried.bench.promote(3, forced=True, reason="drill")
    tried.step.end()
    assert tried.asked_again() == 1
    assert tried.evaluate()["beside"] == f"{NAME}@3"


@pytest.mark.parametrize("why", ["off", "replay"])
def test_where_none_is_wanted_the_verdict_comes_at_once(tried: Tried, why: str) -> None:
    tried.rows, tried.replaying = 0 if why == "off" else 100, why == "replay"
    assert tried.evaluate()["approved"]
    assert [one["name"] for one in tried.verdicts()[0]["gates"]] == ["improvement"]


@pytest.mark.anyio
async def test_workers_are_told_whom_to_ask_beside_the_champion(tried: Tried) -> None:
    tried.evaluate()
    postgres = AsyncPostgres(tried.settings.postgres.dsn.get_secret_value())
    fleet = PostgresFleet(postgres, [NAME])
    assert [one.shadow_version for one in (await fleet.look()).champions] == [2]
    tried.later(HOURS)
    tried.step.end()
    assert [one.shadow_version for one in (await fleet.look()).champions] == [None]
    await postgres.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
