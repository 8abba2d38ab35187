"""What is told, held back, silenced, collected and over; and that a restart at any point neither repeats nor loses it."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from evergreen.core.clock import wall_now
from evergreen.core.errors import InvalidRequest, NotFound
from evergreen.core.notices import Silence
from evergreen.ports.notifier import NotDelivered
from evergreen.services.deliver import wait_after
from evergreen.services.silence import SilenceAlerts
from tests.support.alerts import DRIFT, NotifyBench, alert, away
from tests.support.events import MODEL, NOON

HOUR = timedelta(hours=1)


@pytest.fixture
def bench() -> NotifyBench:
    return NotifyBench()


# Grouping


def test_an_alert_is_told_once_in_both_languages(bench: NotifyBench) -> None:
    assert bench.tell(alert()) == ["firing: [high] Data drift"]
    assert bench.tell() == []
    (told,) = bench.received["ops"].received
    assert (told.title.ko, told.message.ko) == ("데이터 드리프트", "점수 0.700")


def test_alerts_of_a_group_are_one_message_that_lists_them_and_others_have_their_own(bench: NotifyBench) -> None:
    told = bench.tell(alert("medium", title="first"), alert("critical", title="second"), alert("medium", title="third"), alert(model="other"))

    assert told == ["firing: [critical] second and 2 more", "firing: [high] Data drift"]
    assert [f"] {name}: Drift" in bench.received["ops"].received[0].message.en for name in ("first", "second", "third")] == [True] * 3
    assert len(bench.received["ops"].received[0].alert_ids) == 3


def test_a_long_group_names_ten_and_counts_the_rest(bench: NotifyBench) -> None:
    bench.tell(*(alert() for _ in range(14)))

    (told,) = bench.received["ops"].received
    assert told.message.en.splitlines()[-1] == "… and 4 more; see `evergreen alerts list`."
    assert len(told.message.ko.splitlines()) == 11


def test_a_group_gathers_until_its_wait_is_over(bench: NotifyBench) -> None:
    bench.wall.at = wall_now() - timedelta(seconds=0.3)

    assert bench.tell(alert()) == []
    wait = bench.notify.run()
    assert wait is not None
    assert wait > timedelta(seconds=0.5)
    bench.wall.advance(timedelta(seconds=30))
    assert bench.tell(alert()) == ["firing: [high] Data drift and 1 more"]


def test_a_channel_hears_of_its_severities_only() -> None:
    bench = NotifyBench(channels={"ops": "medium", "phone": "critical"})

    bench.tell(alert("high"))
    bench.tell(alert("critical", model="other"))

    assert [len(one.received) for one in bench.received.values()] == [2, 1]


# Repeating


def test_a_group_that_goes_on_is_told_of_again_after_the_repeat_interval_with_what_was_held_back(bench: NotifyBench) -> None:
    bench.tell(alert())
    bench.clock.advance(HOUR)
    assert bench.tell(alert(), alert()) == []
    bench.clock.advance(3 * HOUR)

    assert bench.tell(alert()) == ["firing: [high] Data drift"]
    assert bench.received["ops"].received[-1].message.en.endswith("2 more came since the last message and were held back.")
    assert bench.outcomes() == ["notified", "held", "held", "notified"]


def test_what_gets_worse_breaks_through_at_once(bench: NotifyBench) -> None:
    bench.tell(alert("medium"))
    bench.wall.at = wall_now() - timedelta(minutes=1)  # no group wait would be over

    assert bench.tell(alert("high")) == ["firing: [high] Data drift"]
    assert bench.tell(alert("high")) == []


def test_a_clock_that_went_back_does_not_hold_an_alert_for_months(bench: NotifyBench) -> None:
    bench.tell(alert())
    bench.clock.at = NOON - timedelta(days=90)

    assert bench.tell(alert()) == ["firing: [high] Data drift"]


# Resolving


def test_what_is_over_is_told_where_something_was_told(bench: NotifyBench) -> None:
    row = alert()
    bench.tell(row)
    bench.over(row)
    bench.over(alert(model="never told of"))

    assert bench.tell() == [f"resolved: [resolved] {MODEL}: {DRIFT}"]
    assert bench.outcomes() == ["notified"]


def test_whoever_heard_of_the_worst_hears_of_the_end() -> None:
    bench = NotifyBench(channels={"ops": "low", "phone": "critical"})
    row = alert("critical")
    bench.tell(row)
    bench.clock.advance(5 * HOUR)
    bench.tell(alert("medium"))
    assert bench.tell(alert("critical")) == ["firing: [critical] Data drift"]
    bench.clock.advance(5 * HOUR)
    bench.tell(alert("medium"))
    bench.over(row)
    bench.round()

    assert [one.kind for one in bench.received["phone"].received] == ["firing", "firing", "resolved"]


def test_after_it_was_over_the_next_one_is_told_at_once(bench: NotifyBench) -> None:
    row = alert()
    bench.tell(row)
    bench.over(row)

    assert bench.tell(alert("medium"))[-1] == "firing: [medium] Data drift"


def test_what_begins_and_ends_within_one_round_is_told_in_its_order(bench: NotifyBench) -> None:
    row = alert()
    bench.record(row)
    bench.over(row)
    bench.record(alert())

    assert [one.partition(":")[0] for one in bench.tell()] == ["firing", "resolved", "firing"]


def test_the_end_is_not_told_before_the_beginning_arrived(bench: NotifyBench) -> None:
    row = alert()
    bench.received["ops"].fails = away
    bench.tell(row)
    bench.over(row)
    assert bench.tell(alert(model="other")) == []

    bench.received["ops"].fails = lambda _number: None
    bench.wall.advance(timedelta(minutes=1))
    assert [one.partition(":")[0] for one in bench.tell()] == ["firing", "resolved", "firing"]


# Silences


@pytest.mark.parametrize(
    ("covers", "told"),
    [
        pytest.param({"model": MODEL}, [], id="model"),
        pytest.param({"event_type": DRIFT}, [], id="type"),
        pytest.param({"model": MODEL, "event_type": "action_failed"}, ["firing: [high] Data drift"], id="other-type"),
        pytest.param({"model": "other"}, ["firing: [high] Data drift"], id="other-model"),
        pytest.param({"model": MODEL, "up_to": "medium"}, ["firing: [high] Data drift"], id="above-its-ceiling"),
        pytest.param({"model": MODEL, "up_to": "high"}, [], id="at-its-ceiling"),
    ],
)
def test_a_silence_covers_what_it_names(bench: NotifyBench, covers: dict[str, str], told: list[str]) -> None:
    SilenceAlerts(bench.store, bench.clock).begin(lasts=2 * HOUR, who="kim", reason="known", **covers)

    assert bench.tell(alert()) == told


def test_a_silence_ends_by_its_time_or_by_hand(bench: NotifyBench) -> None:
    silences = SilenceAlerts(bench.store, bench.clock)
    silences.begin(lasts=2 * HOUR, who="kim", reason="known", model=MODEL)
    made = silences.begin(lasts=24 * HOUR, who="kim", reason="known", model=MODEL)
    bench.tell(alert())
    bench.clock.advance(3 * HOUR)
    assert bench.tell(alert()) == []
    silences.end(str(made.id)[-12:], "lee")

    assert bench.tell(alert()) == ["firing: [high] Data drift"]
    assert bench.outcomes() == ["silenced", "silenced", "notified"]
    with pytest.raises(NotFound, match="alerts silences"):
        silences.end(str(made.id), "lee")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param({"lasts": timedelta(days=31)}, "30 days", id="for-ever"),
        pytest.param({"lasts": timedelta(0)}, "30 days", id="no-time"),
        pytest.param({"reason": " "}, "reason", id="without-reason"),
        pytest.param({"model": None}, "name a model", id="everything"),
    ],
)
def test_a_silence_that_would_be_regretted_is_refused(bench: NotifyBench, asked: dict[str, object], why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        SilenceAlerts(bench.store, bench.clock).begin(**{"lasts": HOUR, "who": "kim", "reason": "known", "model": MODEL, **asked})  # type: ignore[arg-type]


# The digest


def test_low_alerts_wait_for_the_digest_of_the_day(bench: NotifyBench) -> None:
    bench.notify.run()
    assert bench.tell(*(alert("low") for _ in range(3)), alert("low", model="other", title="Quality")) == []
    bench.clock.at = NOON.replace(hour=23, minute=59)  # 08:59 in Seoul
    assert bench.tell() == []
    bench.clock.advance(timedelta(minutes=1))

    assert bench.tell() == ["digest: [low] Digest: 4 alerts"]
    message = bench.received["ops"].received[-1].message.en
    assert message.splitlines() == ["- 3 x [low] Data drift: Drift score 0.700", "- 1 x [low] Quality: Drift score 0.700"]
    assert bench.tell() == []


def test_after_a_jump_there_is_one_digest_not_one_a_day(bench: NotifyBench) -> None:
    bench.notify.run()
    bench.tell(alert("low"))
    bench.clock.advance(timedelta(days=9))

    assert bench.tell() == ["digest: [low] Digest: 1 alerts"]
    bench.clock.advance(timedelta(days=1))
    assert bench.tell() == []


# Delivery


def test_a_failed_attempt_is_repeated_later_and_in_the_end_given_up_visibly(bench: NotifyBench) -> None:
    bench.received["ops"].fails = away
    bench.tell(alert())
    for wait in (4.9, 0.2, 9.9, 0.2, 3600):
        bench.wall.advance(timedelta(seconds=wait))
        bench.round()

    (row,) = bench.notices()
    assert (row.status, row.attempts, row.error) == ("failed", 3, "nobody answers")
    assert bench.received["ops"].tried == 3
    assert bench.outcomes() == ["notified"]  # giving up raised no alert


def test_waits_double_up_to_ten_minutes() -> None:
    assert [wait_after(attempt).total_seconds() for attempt in (1, 2, 3, 8, 50)] == [5, 10, 20, 600, 600]


def test_what_would_never_be_taken_is_given_up_at_once(bench: NotifyBench) -> None:
    bench.received["ops"].fails = lambda _number: NotDelivered("redirects are not followed", permanent=True)
    bench.tell(alert())

    assert [(row.status, row.attempts) for row in bench.notices()] == [("failed", 1)]


def test_a_channel_that_breaks_holds_up_neither_its_next_message_nor_the_others() -> None:
    bench = NotifyBench(channels={"ops": "low", "phone": "low"})
    bench.received["ops"].fails = lambda number: ValueError("a library's defect, with a token in it") if number == 1 else None
    bench.tell(alert(), alert(model="other"))

    assert [len(one.received) for one in bench.received.values()] == [1, 2]
    assert [row.error for row in bench.notices() if row.error] == ["ValueError in the channel's adapter"]


def test_a_channel_taken_out_of_the_settings_gives_up_what_waits_for_it(bench: NotifyBench) -> None:
    bench.received["ops"].fails = away
    bench.tell(alert())
    bench.channels, bench.received = {"phone": "low"}, {"phone": bench.received["ops"]}
    bench.restart()
    bench.notify.abandon_lost_channels()

    assert [(row.status, row.error) for row in bench.notices()] == [("failed", "its channel is no longer configured")]


def test_old_messages_and_groups_are_removed_and_waiting_ones_are_not(bench: NotifyBench) -> None:
    bench.tell(alert())
    bench.received["ops"].fails = away
    bench.tell(alert(model="other"))
    bench.wall.advance(timedelta(days=100))
    bench.clock.advance(timedelta(days=100))

    assert bench.notify.prune() == 1
    assert [row.status for row in bench.notices()] == ["pending"]
    with bench.store.transaction() as tx:
        assert tx.groups.named([f"{MODEL}|{DRIFT}"]) == {}
        assert tx.alerts.newest(10) == []


def test_a_silence_that_has_not_begun_covers_nothing() -> None:
    """A replay may take the clock back to before somebody said it."""
    silence = Silence(uuid4(), NOON + HOUR, "kim", "known", NOON, model=MODEL)

    assert silence.covers(f"{MODEL}|x", MODEL, "x", "high", NOON)
    assert not silence.covers(f"{MODEL}|x", MODEL, "x", "high", NOON - HOUR)
