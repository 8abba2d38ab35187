"""Shadow trials on real serving: two workers answer, the indexer writes down what they said and what came true, the verdict is the evaluation's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.contracts.actions import ActionKind
from evergreen.core.evaluation import Scorecard, gate
from evergreen.ports.experiments import NoExperiments
from evergreen.ports.model import ModelSpec
from evergreen.ports.versions import VersionRow
from evergreen.services.carry_out import CarryOut
from evergreen.services.evaluate import Evaluate
from evergreen.services.model_work import ModelWork
from evergreen.services.shadow_trial import ShadowRules, ShadowTrialStep
from evergreen.settings import Settings
from tests.support.claims import claimed, said
from tests.support.rollout import BREAKS, FIRST, GIVEN, GOOD, MODEL, ODD, SPEC, Rollout, rollout
from tests.support.tiny import FrameLake, tiny_rows
from tests.support.worker_processes import background_worker, until

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(600)]
ROWS = 60
OWN = re.compile(rb'"(prediction_id":"[^"]*"|processing_time":[0-9.e-]+)')
"""What is another in each answer."""
Told = Callable[[str, object], None]


@dataclass
class Tried:
    on: Rollout

    def step(self, hours: float) -> ShadowTrialStep:
        on = self.on
        return ShadowTrialStep(on.store, on.clock, CarryOut(on.store, on.clock), lambda _: ShadowRules(ROWS, hours), lambda _: SPEC, lambda: False)

    def evaluate(self, version: int, hours: float = 1.0) -> dict[str, Any]:
        on, registry = self.on, MemoryRegistry(self.on.settings.home)
        claim = claimed(on.store, on.clock, ActionKind.EVALUATE, {}, model=MODEL, target=f"{MODEL}@{version}")
        work = ModelWork(on.store, on.clock, CarryOut(on.store, on.clock), registry, FrameLake(tiny_rows(1)), lambda _: SPEC)
        return dict(Evaluate(work, NoExperiments(), self.step(hours)).run(claim))

    def began(self, version: int, hours: float = 1.0) -> None:
        """Every worker has it."""
        assert self.evaluate(version, hours)["outcome"] == "shadow_trial"
        until(lambda: all(self._has(worker, version) for worker in self.on.workers.processes), 120)

    def _has(self, worker: str, version: int) -> bool:
        told = self.on.workers.logged(worker, "champion_swapped", "beside_champion_changed")
        return bool(told) and told[-1]["shadow"] == f"{MODEL}@{version}"

    def ended(self, hours: float = 1.0) -> bool:
        self.step(hours).end()
        with self.on.store.transaction() as tx:
            return not tx.shadow_trials.open()

    def gate(self) -> dict[str, Any]:
        """Of the newest verdict."""
        verdict = [event.data for event in said(self.on.store, "/airflow/evaluate") if event.type == "model_evaluation_completed"][-1]
        [found] = [one for one in verdict["gates"] if one["name"] == "shadow"]
        return dict(found)

    def ask(self, entities: list[str], *, odd_in: int = 0) -> list[bytes]:
        """Their answers without what is another in each."""
        found = []
        with self.on.workers.client() as client:
            for at, entity in enumerate(entities):
                odd = odd_in > 0 and at % odd_in == 0
                answer = client.post("/predict/video", json={"video_id": entity, "features": {**GIVEN, "category_id": ODD} if odd else GIVEN})
                assert answer.status_code == 200, answer.text
                found.append(OWN.sub(b"", answer.content).replace(entity.encode(), b"x"))
        return found

    def tell(self, entities: list[str]) -> None:
        with self.on.workers.client() as client:
            for at, entity in enumerate(entities):
                told = client.post("/feedback", json={"video_id": entity, "outcome": {"view_count": 100_000 + 1_000 * at}})
                assert told.status_code == 202, told.text

    def recorded(self, entities: str) -> int:
        """Predictions in the tables beside which a shadow is named, of those whose entities begin so: the topic holds other tests' too."""
        with self.on.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM predictions WHERE shadow_version IS NOT NULL AND starts_with(entity, %s)", (entities,))
            row = cursor.fetchone()
        return 0 if row is None else int(row[0])


@pytest.fixture(scope="module")
def serving(stack_settings: Settings) -> Iterator[Rollout]:
    with rollout(stack_settings, GOOD, BREAKS) as found, background_worker(stack_settings, "indexer", ready_seconds=90, end_seconds=60):
        yield found


@pytest.fixture
def tried(serving: Rollout, monkeypatch: pytest.MonkeyPatch) -> Tried:
    """The other gates approve of every version."""
    passed = (gate("improvement", True, "better"),)

    def judged(_: Evaluate, __: ModelSpec, row: VersionRow, *___: object) -> Scorecard:
        return Scorecard(row.name, f"{MODEL}@{FIRST}", passed, date(2025, 4, 1), date(2025, 5, 31), 900)

    monkeypatch.setattr(Evaluate, "_judge", judged)
    return Tried(serving)


def test_the_champions_answers_are_the_same_bytes_and_outcomes_end_it(tried: Tried, record_property: Told) -> None:
    before = tried.ask([f"before-{at}" for at in range(ROWS)])
    tried.began(GOOD)
    entities = [f"beside-{at}" for at in range(ROWS + 10)]
    assert set(tried.ask(entities)) == set(before)
    assert len(set(before)) == 1
    until(lambda: tried.recorded("beside-") == len(entities), 60)
    assert not tried.ended()
    tried.tell(entities)
    until(tried.ended, 60)
    tried.evaluate(GOOD)
    found = tried.gate()
    record_property("verdict", found["detail"])
    assert (found["numbers"]["asked"], found["numbers"]["failed"]) == (len(entities), 0.0)
    assert found["numbers"]["n"] >= ROWS


def test_one_that_raises_on_five_percent_is_over_soon_and_refused(tried: Tried, record_property: Told) -> None:
    tried.began(BREAKS)
    answers = tried.ask([f"odd-{at}" for at in range(200)], odd_in=20)
    assert len(answers) == 200
    until(lambda: tried.recorded("odd-") == 200, 60)
    assert tried.ended()
    assert tried.evaluate(BREAKS)["failed_gates"] == ["shadow"]
    record_property("verdict", tried.gate()["detail"])
    assert "no answer to 10 of 200 requests, 1% is allowed" in tried.gate()["detail"]
    assert tried.on.champion() == FIRST


def test_its_time_ends_it_with_what_there_is(tried: Tried) -> None:
    hours = 8.0 / 3600
    with tried.on.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("DELETE FROM shadow_trials")
    tried.began(GOOD, hours)
    tried.ask([f"late-{at}" for at in range(10)])
    until(lambda: tried.ended(hours), 30)
    tried.evaluate(GOOD)
    assert "outcomes are too few to compare" in tried.gate()["detail"]
