"""One effect and one answer for one idempotency key, on every store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from threading import Event, Thread
from typing import Any, cast

import pytest

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.core.errors import InvalidRequest, KeyReused, SecretGivenOut, Unavailable
from evergreen.ports.keyed_requests import KeyedStore
from evergreen.services import once as module
from evergreen.services.once import Keyed, once

ASKED = Keyed("/silences", "api:ann", "k", {"minutes": 5, "reason": "a change"})
Work = Callable[[], Mapping[str, Any]]


@pytest.fixture
def keyed(store: object) -> KeyedStore:
    return cast(KeyedStore, store)


@pytest.fixture
def work() -> Work:
    """Answers how often it was done."""
    counted = iter(range(1, 100))
    return lambda: {"done": next(counted)}


def test_a_repeat_has_the_same_answer_and_nothing_is_done_again(keyed: KeyedStore, work: Work) -> None:
    assert [dict(once(keyed, ASKED, work)) for _ in range(3)] == [{"done": 1}] * 3


@pytest.mark.parametrize("other", [{"key": "l"}, {"who": "api:bob"}, {"operation": "/experiments"}], ids=lambda one: next(iter(one)))
def test_another_key_person_or_operation_is_another_request(keyed: KeyedStore, work: Work, other: dict[str, str]) -> None:
    assert [once(keyed, one, work)["done"] for one in (ASKED, replace(ASKED, **other), ASKED)] == [1, 2, 1]  # type: ignore[arg-type]


def test_a_key_with_another_body_is_refused_and_the_first_answer_stays(keyed: KeyedStore, work: Work) -> None:
    once(keyed, ASKED, work)
    with pytest.raises(KeyReused):
        once(keyed, replace(ASKED, content={"minutes": 6}), work)
    assert once(keyed, ASKED, work)["done"] == 1


def test_what_was_refused_may_be_sent_again(keyed: KeyedStore, work: Work) -> None:
    def refused() -> Mapping[str, Any]:
        raise InvalidRequest("not now")

    with pytest.raises(InvalidRequest):
        once(keyed, ASKED, refused)
    assert once(keyed, ASKED, work)["done"] == 1


def test_a_secret_is_told_once_and_kept_nowhere(keyed: KeyedStore) -> None:
    asked, secret = replace(ASKED, secret=True), "the-secret-itself"
    assert once(keyed, asked, lambda: {"secret": secret}) == {"secret": secret}
    with pytest.raises(SecretGivenOut):
        once(keyed, asked, lambda: {"secret": "another"})
    with pytest.raises(KeyReused):
        once(keyed, replace(asked, content={}), lambda: {"secret": "another"})
    with keyed.transaction() as tx:
        kept = tx.keyed_requests.take(asked.id, "whatever", timedelta(0))
    assert kept is not None
    assert (kept.answer, secret in kept.content) == ({}, False)


def test_while_the_first_is_at_work_a_repeat_waits_its_turn(keyed: KeyedStore, work: Work) -> None:
    if not isinstance(keyed, PostgresStore):
        pytest.skip("the twin has one thread's transactions")
    begun, go_on = Event(), Event()

    def slow() -> Mapping[str, Any]:
        begun.set()
        assert go_on.wait(10)
        return work()

    first = Thread(target=once, args=(keyed, ASKED, slow))
    first.start()
    assert begun.wait(10)
    with pytest.raises(Unavailable, match="at work"):
        once(keyed, ASKED, work)
    go_on.set()
    first.join(10)
    assert once(keyed, ASKED, work)["done"] == 1


def test_what_broke_off_is_carried_out_by_a_later_repeat(keyed: KeyedStore, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    with keyed.transaction() as tx:  # whoever took it died
        assert tx.keyed_requests.take(ASKED.id, module.content_of(ASKED), timedelta(0)) is None
    with pytest.raises(Unavailable):
        once(keyed, ASKED, work)
    monkeypatch.setattr(module, "PATIENCE", timedelta(0))
    assert once(keyed, ASKED, work)["done"] == 1


def test_old_ones_go(keyed: KeyedStore, work: Work) -> None:
    once(keyed, ASKED, work)
    with keyed.transaction() as tx:
        assert tx.keyed_requests.prune(timedelta(hours=1)) == 0
        assert tx.keyed_requests.prune(timedelta(0)) == 1
    assert once(keyed, ASKED, work)["done"] == 2
