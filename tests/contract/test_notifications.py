"""What the notifier keeps, on every store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from evergreen.adapters.memory.notifications import MemoryNotifyStore
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.core.alerts import AlertDetails
from evergreen.core.clock import wall_now
from evergreen.core.notices import Silence
from evergreen.ports.notifications import Group, NotifyStore
from evergreen.settings import Settings
from tests.support.alerts import DRIFT, NotifyBench, alert, notice
from tests.support.claims import emptied
from tests.support.events import MODEL, NOON

LEASE = timedelta(seconds=60)
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.connected)])
def store(request: pytest.FixtureRequest) -> Iterator[NotifyStore]:
    if request.param == "memory":
        yield MemoryNotifyStore()
        return
    settings: Settings = request.getfixturevalue("postgres_settings")
    postgres = PostgresStore(settings.postgres.dsn.get_secret_value())
    yield emptied(postgres)
    postgres.close()


# Alerts


def test_an_alert_comes_back_whole_until_it_is_settled(store: NotifyStore) -> None:
    details = AlertDetails(DRIFT, "data_drift_high", "제목", "내용", 0.71, f"{MODEL}@1")
    row = alert("critical", event_source="/test", event_id="e", details=details)
    plain = replace(alert(model="other"), details=AlertDetails())
    with store.transaction() as tx:
        tx.alerts.record([row, plain])
        tx.alerts.record([replace(row, title="another")])
    with store.transaction() as tx:
        first, second = tx.alerts.unsettled(10)
    assert replace(first, recorded_at=None) == row
    assert first.recorded_at is not None
    assert (second.id, second.event_type) == (plain.id, DRIFT)

    with store.transaction() as tx:
        tx.alerts.settle({row.id: "notified", plain.id: "digest"})
        assert tx.alerts.unsettled(10) == []
        assert [one.id for one in tx.alerts.for_digest(10)] == [plain.id]
        assert [(one.model, one.outcome) for one in tx.alerts.newest(10)] == [("other", "digest"), (MODEL, "notified")]
        assert [one.id for one in tx.alerts.newest(10, MODEL)] == [row.id]


def test_what_resolves_is_in_line_and_in_no_list(store: NotifyStore) -> None:
    over = alert("low", resolves=True)
    with store.transaction() as tx:
        tx.alerts.record([over])
        assert [one.resolves for one in tx.alerts.unsettled(10)] == [True]
        assert tx.alerts.newest(10) == []


def test_settled_alerts_of_long_ago_are_removed(store: NotifyStore) -> None:
    settled, collected, waiting = alert(), alert("low"), alert()
    with store.transaction() as tx:
        tx.alerts.record([settled, collected, waiting])
        tx.alerts.settle({settled.id: "notified", collected.id: "digest"})
    with store.transaction() as tx:
        assert tx.alerts.prune(wall_now() - MINUTE) == 0
        assert tx.alerts.prune(wall_now() + MINUTE) == 1
        assert {row.id for row in tx.alerts.newest(10)} == {collected.id, waiting.id}


# Notices


def test_a_notice_is_claimed_by_one_until_its_lease_ends(store: NotifyStore) -> None:
    one, wall = notice(), wall_now()
    with store.transaction() as tx:
        tx.notices.add([one, one])
        assert tx.notices.channels_due(wall) == {"ops"}
    with store.transaction() as tx:
        row = tx.notices.claim("ops", wall, LEASE)
        assert row is not None
        assert (row.notice, row.attempts, row.status) == (one, 1, "pending")
    with store.transaction() as tx:
        assert tx.notices.claim("ops", wall + MINUTE - timedelta(seconds=1), LEASE) is None
        assert tx.notices.channels_due(wall) == set()
        again = tx.notices.claim("ops", wall + LEASE, LEASE)
        assert again is not None
        assert (again.notice.id, again.attempts) == (one.id, 2)


def test_a_sent_one_stays_sent(store: NotifyStore) -> None:
    one, wall = notice(), wall_now()
    with store.transaction() as tx:
        tx.notices.add([one])
        tx.notices.sent(one.id, wall)
        tx.notices.retry(one.id, wall, "late word of a zombie")
        tx.notices.give_up(one.id, wall, "late word of a zombie")
        tx.notices.add([one])
    with store.transaction() as tx:
        (row,) = tx.notices.newest(10)
        assert (row.status, row.error, row.finished_at) == ("sent", None, wall)
        assert tx.notices.claim("ops", wall + MINUTE, LEASE) is None
        assert dict(tx.notices.counts()) == {"sent": 1}


def test_a_failed_attempt_waits_and_the_last_one_is_kept_with_its_reason(store: NotifyStore) -> None:
    one, wall = notice(), wall_now()
    with store.transaction() as tx:
        tx.notices.add([one])
        tx.notices.claim("ops", wall, LEASE)
        tx.notices.retry(one.id, wall + 2 * MINUTE, "HTTP 503")
        assert tx.notices.claim("ops", wall + MINUTE, LEASE) is None
        assert tx.notices.claim("ops", wall + 2 * MINUTE, LEASE) is not None
        tx.notices.give_up(one.id, wall, "HTTP 503")
        (row,) = tx.notices.newest(10, "failed")
        assert (row.status, row.attempts, row.error, row.retry_at) == ("failed", 2, "HTTP 503", None)
        assert tx.notices.newest(10, "sent") == []


def test_of_one_group_the_earlier_goes_first_and_other_groups_pass_it(store: NotifyStore) -> None:
    first, later, other, elsewhere = notice(), notice(kind="resolved"), notice(grouping="other|x"), notice(channel="phone")
    wall = wall_now()
    with store.transaction() as tx:
        tx.notices.add([first, later, other, elsewhere])
        tx.notices.claim("ops", wall, LEASE)
        tx.notices.retry(first.id, wall + MINUTE, "away")
        claimed = [tx.notices.claim("ops", wall, LEASE), tx.notices.claim("ops", wall, LEASE), tx.notices.claim("phone", wall, LEASE)]
        assert [row and row.notice.id for row in claimed] == [other.id, None, elsewhere.id]
        tx.notices.sent(first.id, wall)
        row = tx.notices.claim("ops", wall, LEASE)
        assert row is not None
        assert row.notice.id == later.id


def test_what_waits_for_a_channel_that_is_gone_is_given_up(store: NotifyStore) -> None:
    kept, lost, wall = notice(), notice(channel="pager"), wall_now()
    with store.transaction() as tx:
        tx.notices.add([kept, lost])
        assert [(row.notice.id, row.status) for row in tx.notices.abandon(["ops", "phone"], wall)] == [(lost.id, "failed")]
        assert tx.notices.abandon(["ops"], wall) == []
        assert {row.notice.id: row.status for row in tx.notices.newest(10)} == {kept.id: "pending", lost.id: "failed"}


def test_old_notices_are_removed_when_they_are_finished(store: NotifyStore) -> None:
    sent, waiting, wall = notice(), notice(), wall_now()
    with store.transaction() as tx:
        tx.notices.add([sent, waiting])
        tx.notices.sent(sent.id, wall)
    with store.transaction() as tx:
        assert tx.notices.prune(wall - MINUTE) == 0
        assert tx.notices.prune(wall + MINUTE) == 1
        assert [row.notice.id for row in tx.notices.newest(10)] == [waiting.id]


# Groups and silences


def test_a_group_is_kept_as_it_was_saved_last(store: NotifyStore) -> None:
    group = Group(f"{MODEL}|{DRIFT}", MODEL, DRIFT, "high", "high", NOON)
    with store.transaction() as tx:
        tx.groups.save([group, replace(group, grouping="old", notified_at=NOON - timedelta(days=90))])
        tx.groups.save([replace(group, held=3, open=False, severity="medium", peak="critical")])
    with store.transaction() as tx:
        assert tx.groups.named([group.grouping, "nobody"]) == {group.grouping: replace(group, held=3, open=False, severity="medium", peak="critical")}
        assert tx.groups.prune(NOON) == 1
        assert tx.groups.named(["old"]) == {}


def test_a_silence_runs_until_its_time_or_its_end(store: NotifyStore) -> None:
    short = Silence(uuid4(), NOON + MINUTE, "kim", "known", NOON, model=MODEL, up_to="high")
    long = Silence(uuid4(), NOON + 2 * MINUTE, "lee", "변경 작업", NOON + timedelta(seconds=1), event_type=DRIFT)
    with store.transaction() as tx:
        tx.silences.add(short)
        tx.silences.add(long)
    with store.transaction() as tx:
        assert tx.silences.running(NOON) == [long, short]
        assert tx.silences.running(NOON + MINUTE) == [long]
        assert not tx.silences.end(short.id, NOON + MINUTE, "lee")
        assert tx.silences.end(long.id, NOON + MINUTE, "lee")
        assert not tx.silences.end(long.id, NOON + MINUTE, "lee")
        assert tx.silences.running(NOON) == [short]
        assert [(one.ended_at, one.ended_by) for one in tx.silences.newest(10)] == [(NOON + MINUTE, "lee"), (None, None)]


def test_silences_go_a_while_after_they_were_over_or_ended(store: NotifyStore) -> None:
    over, ended, running = (Silence(uuid4(), NOON + minutes * MINUTE, "kim", "known", NOON, model=MODEL) for minutes in (1, 9, 9))
    with store.transaction() as tx:
        for one in (over, ended, running):
            tx.silences.add(one)
        assert tx.silences.end(ended.id, NOON + 2 * MINUTE, "lee")
        assert tx.silences.prune(NOON + MINUTE) == 0
        assert tx.silences.prune(NOON + 2 * MINUTE) == 1
        assert {one.id for one in tx.silences.newest(10)} == {ended.id, running.id}
        assert tx.silences.prune(NOON + 8 * MINUTE) == 1
        assert tx.silences.newest(10) == [running]


# The notifier on it


def test_the_notifier_tells_holds_resolves_and_digests_on_every_store(store: NotifyStore) -> None:
    bench = NotifyBench(store)
    row = alert()
    assert bench.tell(row, alert("low")) == ["firing: [high] Data drift"]
    bench.restart()
    assert bench.tell(alert()) == []
    bench.over(row)
    assert bench.tell() == [f"resolved: [resolved] {MODEL}: {DRIFT}"]
    bench.clock.advance(timedelta(days=1))
    bench.restart()
    assert bench.tell() == ["digest: [low] Digest: 1 alerts"]
    assert bench.outcomes() == ["notified", "digested", "held"]
    assert [one.status for one in bench.notices()] == ["sent"] * 3
