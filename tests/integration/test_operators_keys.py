"""What operators ask with an idempotency key, of two workers over one Postgres: done once, answered alike, and no secret is kept."""

from __future__ import annotations

import asyncio

import pytest

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.api_admin import AccountRequest, AccountSecret, RedriveRequest, SecretRequest
from evergreen.contracts.api_experiments import ExperimentRequest
from evergreen.core.clock import FixedClock
from evergreen.core.errors import EvergreenError, InvalidRequest, KeyReused, SecretGivenOut, Unavailable
from evergreen.core.experiment import Variant
from evergreen.services.experiments import NewExperiment
from evergreen.services.once import Keyed
from evergreen.services.redrive import RedriveLetters
from evergreen.settings import Settings
from serving.admin_desk import RealAdminDesk
from serving.experiment_desk import ExperimentDesk
from serving.own_store import OwnStore
from tests.support.events import NOON
from tests.support.tiny import NAME, tiny_spec
from tests.support.worked_desk import Letters

pytestmark = [pytest.mark.anyio, pytest.mark.connected]
ANN = "api:ann"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def topic() -> Letters:
    return Letters()


@pytest.fixture
def workers(store: PostgresStore, postgres_settings: Settings, topic: Letters) -> list[RealAdminDesk]:
    stores = OwnStore(postgres_settings.postgres.dsn.get_secret_value())
    return [RealAdminDesk(stores, FixedClock(NOON), lambda own: RedriveLetters(own, lambda: iter(topic.messages), topic.send)) for _ in range(2)]


def rows(store: PostgresStore, query: str) -> list[tuple[object, ...]]:
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def keyed(operation: str, asked: AccountRequest | SecretRequest | RedriveRequest | ExperimentRequest, *, secret: bool = False) -> Keyed:
    return Keyed(operation, ANN, "k", asked.model_dump(mode="json"), secret)


async def test_of_many_who_ask_for_a_secret_at_once_with_one_key_one_gets_it(store: PostgresStore, workers: list[RealAdminDesk]) -> None:
    await workers[0].add_account(AccountRequest(name="bob", roles=["viewer"], reason="new here"), ANN, None)
    asked = SecretRequest(name="bob", reason="forgotten")
    key = keyed("/accounts/secret", asked, secret=True)
    answers = await asyncio.gather(*(worker.change_secret(asked, ANN, key) for worker in workers * 3), return_exceptions=True)
    [told] = [answer for answer in answers if isinstance(answer, AccountSecret)]
    assert {type(answer) for answer in answers} <= {AccountSecret, SecretGivenOut, Unavailable}
    with pytest.raises(SecretGivenOut):
        await workers[1].change_secret(asked, ANN, key)
    assert rows(store, "SELECT count(*) FROM access_changes WHERE what = 'secret_changed'") == [(1,)]
    assert told.secret not in str(rows(store, "SELECT t::text FROM keyed_requests t UNION ALL SELECT t::text FROM accounts t"))


async def test_an_account_that_was_refused_may_be_asked_for_again(workers: list[RealAdminDesk]) -> None:
    asked = AccountRequest(name="bob", roles=["viewer"], reason="new here")
    await workers[0].add_account(asked, ANN, None)
    for worker in workers:  # not "at work": the refusal left nothing
        with pytest.raises(InvalidRequest, match="there is an account"):
            await worker.add_account(asked, ANN, keyed("/accounts", asked, secret=True))


async def test_letters_go_once_and_the_other_worker_says_the_same(store: PostgresStore, workers: list[RealAdminDesk], topic: Letters) -> None:
    letter = topic.put()
    asked = RedriveRequest(why="mended", ids=[letter])
    first, again = [await worker.redrive(asked, ANN, keyed("/dead-letters/redrive", asked)) for worker in workers]
    assert (first, len(topic.sent), [one.id for one in first.sent]) == (again, 1, [letter])
    assert rows(store, "SELECT times, who FROM redriven") == [(1, ANN)]
    other = RedriveRequest(why="another", ids=[letter])
    with pytest.raises(KeyReused):
        await workers[1].redrive(other, ANN, keyed("/dead-letters/redrive", other))


async def test_an_experiment_is_started_once(store: PostgresStore, postgres_settings: Settings) -> None:
    desks = [ExperimentDesk(OwnStore(postgres_settings.postgres.dsn.get_secret_value()), FixedClock(NOON), {NAME: tiny_spec()}) for _ in range(2)]
    body = ExperimentRequest(name="diverse", model=NAME, share=1, reason="x", challengers=[{"name": "b", "params": {"diversity": 0.6}}])
    asked = NewExperiment("diverse", NAME, [Variant("b", params={"diversity": 0.6})], 1.0, ANN, "x")
    first, again = [await desk.start(asked, keyed("/experiments", body)) for desk in desks]
    assert (first, first.name) == (again, "diverse")
    assert rows(store, "SELECT count(*) FROM experiments") == [(1,)]
    with pytest.raises(EvergreenError, match="already"):
        await desks[0].start(asked, None)
