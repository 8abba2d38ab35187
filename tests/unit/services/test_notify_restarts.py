"""A notifier that dies at any point neither repeats nor loses a message."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.adapters.memory.notifications import MemoryNotifyStore
from evergreen.core.errors import Unavailable
from evergreen.services.silence import SilenceAlerts
from tests.support.alerts import NotifyBench, alert

HOUR = timedelta(hours=1)


class Killed(BaseException):
    """The process ended here."""


@pytest.fixture
def bench() -> NotifyBench:
    return NotifyBench()


def test_a_crash_between_sending_and_the_mark_sends_it_again_with_the_same_id(bench: NotifyBench) -> None:
    bench.record(alert())
    bench.notify.run()
    with bench.store.transaction() as tx:
        claimed = tx.notices.claim("ops", bench.wall.now(), timedelta(seconds=60))
    assert claimed is not None
    bench.received["ops"].send(claimed.notice)  # and here the process dies
    bench.restart()
    assert bench.tell() == []  # somebody may still be sending it
    bench.after_lease()
    bench.round()

    first, second = bench.received["ops"].received
    assert first.id == second.id
    assert [(row.status, row.attempts) for row in bench.notices()] == [("sent", 2)]


def test_a_postgres_that_is_away_for_the_mark_is_such_a_crash(bench: NotifyBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.record(alert())
    bench.notify.run()
    transaction, calls = bench.store.transaction, iter(range(10))

    def sometimes():
        if next(calls) == 1:
            raise Unavailable("Postgres went away")
        return transaction()

    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "transaction", sometimes)
        with pytest.raises(Unavailable):
            bench.deliver.run("ops")
    bench.after_lease()
    bench.round()

    assert len({one.id for one in bench.received["ops"].received}) == 1
    assert [row.status for row in bench.notices()] == ["sent"]


def test_groups_silences_and_the_digest_outlive_the_process(bench: NotifyBench) -> None:
    SilenceAlerts(bench.store, bench.clock).begin(lasts=2 * HOUR, who="kim", reason="known", model="other")
    bench.tell(alert(), alert("low"))
    bench.restart()

    assert bench.tell(alert(), alert(model="other")) == []
    bench.clock.advance(timedelta(days=1))
    bench.restart()
    assert bench.tell() == ["digest: [low] Digest: 1 alerts"]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("alert"), st.sampled_from(["medium", "high", "critical"]), st.sampled_from(["a", "b"])),
        st.tuples(st.just("killed in a transaction"), st.integers(1, 6)),
        st.tuples(st.just("killed while sending"), st.booleans()),
        st.tuples(st.just("round")),
        st.tuples(st.just("later"), st.integers(1, 300)),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_whatever_is_killed_whenever_every_alert_is_settled_once_and_every_message_arrives(steps: list[tuple]) -> None:
    bench = NotifyBench(store=Fragile(), max_attempts=1_000)
    for step in steps:
        _do(bench, *step)
    bench.restart()
    bench.after_lease()
    bench.round()

    rows = bench.notices()
    assert {row.status for row in rows} <= {"sent"}
    assert {one.id for one in bench.received["ops"].received} == {row.notice.id for row in rows}
    told = [alert_id for row in rows for alert_id in row.notice.alert_ids]
    assert len(told) == len(set(told)) == bench.outcomes().count("notified")
    assert None not in bench.outcomes()


class Fragile(MemoryNotifyStore):
    """Dies in its n-th transaction from now, when everything is written and nothing is committed."""

    dies_in = 0

    @contextmanager
    def transaction(self, lease=None):
        self.dies_in -= 1
        dies = self.dies_in == 0
        with super().transaction(lease) as tx:
            yield tx
            if dies:
                raise Killed


def _do(bench: NotifyBench, what: str, *given: object) -> None:
    store = bench.store
    assert isinstance(store, Fragile)
    store.dies_in = 0
    if what == "alert":
        bench.record(alert(str(given[0]), model=str(given[1])))
    elif what == "later":
        bench.clock.advance(timedelta(minutes=int(str(given[0]))))
        bench.wall.advance(timedelta(seconds=int(str(given[0]))))
    else:
        if what == "killed in a transaction":
            store.dies_in = int(str(given[0]))
        channel = bench.received["ops"]
        channel.fails = (lambda _number: Killed()) if what == "killed while sending" else (lambda _number: None)  # type: ignore[assignment,return-value]
        try:
            bench.round()
        except Killed:
            bench.restart()
        channel.fails = lambda _number: None
        store.dies_in = 0
