"""What a scale action decided stays with it, in every store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from evergreen.adapters.memory.scaler import MemoryScalingStore
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import Action, ActionKind
from evergreen.core.clock import FixedClock
from evergreen.core.errors import Fenced
from evergreen.ports.scaler import Scaling, ScalingStore
from evergreen.ports.storage import ClaimedAction
from evergreen.services.carry_out import CarryOut
from evergreen.settings import Settings
from tests.support.claims import emptied

NOW = datetime(2025, 6, 1, tzinfo=UTC)
DECIDED = Scaling("serving", 2, 4, "maximum")


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.connected)])
def store(request: pytest.FixtureRequest) -> Iterator[ScalingStore]:
    if request.param == "memory":
        yield MemoryScalingStore()
        return
    settings: Settings = request.getfixturevalue("postgres_settings")
    postgres = PostgresStore(settings.postgres.dsn.get_secret_value())
    yield emptied(postgres)
    postgres.close()


@pytest.fixture
def carry_out(store: ScalingStore) -> CarryOut:
    return CarryOut(store, FixedClock(NOW))


@pytest.fixture
def claimed(store: ScalingStore, carry_out: CarryOut) -> ClaimedAction:
    action = Action(id=uuid4(), kind=ActionKind.SCALE_UP, target="serving", reason="system_overload", due_at=NOW, as_of=NOW)
    with store.transaction() as tx:
        tx.actions.insert(action, key=str(action.id), event_type="system_overload", accepted_at=NOW)
    found = carry_out.claim(ActionKind.SCALE_UP, "run")
    assert found is not None
    return found


def decided(store: ScalingStore, claimed: ClaimedAction) -> Scaling | None:
    with store.transaction() as tx:
        return tx.scalings.of(claimed.action.id)


def test_it_outlives_a_failed_attempt_and_ends_with_the_action(store: ScalingStore, carry_out: CarryOut, claimed: ClaimedAction) -> None:
    assert decided(store, claimed) is None
    with store.transaction(claimed.lease) as tx:
        tx.scalings.decide(claimed.lease, DECIDED)
    assert decided(store, claimed) == DECIDED
    assert carry_out.fail(claimed.lease, "the workers did not come up")
    assert decided(store, claimed) == DECIDED


def test_once_done_the_result_says_what_was_done(store: ScalingStore, carry_out: CarryOut, claimed: ClaimedAction) -> None:
    with store.transaction(claimed.lease) as tx:
        tx.scalings.decide(claimed.lease, DECIDED)
        carry_out.complete(tx, claimed, result={"service": "serving", "after": 4})
    assert decided(store, claimed) is None
    with store.transaction() as tx:
        row = tx.actions.get(claimed.action.id)
    assert row is not None
    assert row.result == {"service": "serving", "after": 4}


def test_a_zombie_decides_nothing(store: ScalingStore, claimed: ClaimedAction) -> None:
    old = replace(claimed.lease, token=claimed.lease.token - 1)
    with pytest.raises(Fenced), store.transaction() as tx:
        tx.scalings.decide(old, DECIDED)
    assert decided(store, claimed) is None
