"""The replay driver moves the clock only when the loop is idle, and stops at scheduled work on its way."""

import hashlib
from collections import deque
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from evergreen.contracts.envelope import Event
from evergreen.core.errors import EvergreenError
from evergreen.core.release import released_at
from evergreen.ports.messaging import Position
from evergreen.services.announce import Announce
from evergreen.services.replay import Backlog, Batch, Replay

DAY = date(2025, 7, 24)
IDLE = Backlog({"lag": 0, "actions": 0}, None)


class Clock:
    def __init__(self, at: datetime) -> None:
        self.at = at
        self.replaying = at.year < 2026
        self.moves: list[datetime] = []

    def now(self) -> datetime:
        return self.at

    def is_replaying(self) -> bool:
        return self.replaying

    def replay_from(self, at: datetime, rate: float = 1.0) -> None:
        assert at >= self.at or not self.replaying, "the replay clock only moves forward"
        self.replaying = True
        self.at = at
        self.moves.append(at)


class Publisher:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def publish(self, event) -> Position:
        self.events.append(event)
        return Position("data.ingested", 0, len(self.events) - 1)

    def publish_soon(self, event) -> bool:
        self.events.append(event)
        return True

    def flush(self, timeout_seconds: float) -> int:
        return 0


class App:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def ask(self, requests):
        self.log.append(f"ask {len(requests)}")
        return [None for _ in requests]

    def tell(self, outcomes):
        self.log.append(f"tell {len(outcomes)}")


class Domain:
    def first_listed(self, rows):
        return rows.drop_duplicates("video_id")

    def request(self, row):
        return {"video_id": row["video_id"]}

    def outcome(self, row):
        return {"video_id": row["video_id"], "outcome": {"view_count": 1}} if row["views"] > 0 else None


def replay(tmp_path, clock, backlog, log, patience=5.0):
    publisher = Publisher()
    made = Replay(
        clock=clock,
        announce=Announce(publisher, clock, tmp_path),
        backlog=backlog,
        app=App(log),
        domain=Domain(),
        dataset="videos.KR",
        patience=patience,
    )
    return made, publisher


def rows(views: tuple[int, ...] = (5, 0, 7)) -> pd.DataFrame:
    return pd.DataFrame({"video_id": [f"v{n}" for n in range(len(views))], "views": views})


def test_a_batch_is_asked_about_then_announced_at_its_release_then_told(tmp_path):
    log: list[str] = []
    clock = Clock(datetime(2025, 7, 1, tzinfo=UTC))
    driver, publisher = replay(tmp_path, clock, lambda: IDLE, log)
    played = list(driver.play([Batch(DAY, DAY, rows())]))
    assert [batch.first_day for batch in played] == [DAY]
    assert log == ["ask 3", "tell 2"]
    assert clock.moves == [released_at(DAY)]
    (event,) = publisher.events
    assert (event.type, event.subject, event.data["rows"]) == ("data_ingested", "videos.KR", 3)


def test_announcing_the_same_rows_again_says_the_same_event(tmp_path):
    clock = Clock(datetime(2025, 8, 1, tzinfo=UTC))
    publisher = Publisher()
    announce = Announce(publisher, clock, tmp_path)
    announce.run("videos.KR", rows(), DAY, DAY)
    clock.at += timedelta(days=3)
    announce.run("videos.KR", rows(), DAY, DAY)
    announce.run("videos.KR", rows((1, 2)), DAY, DAY)
    first, again, other = publisher.events
    assert (first.id, first.content_hash()) == (again.id, again.content_hash())
    assert other.id != first.id


def test_scheduled_work_between_two_batches_gets_its_own_moment(tmp_path):
    clock = Clock(datetime(2025, 7, 20, tzinfo=UTC))
    window = datetime(2025, 7, 21, 18, tzinfo=UTC)
    answers = [Backlog({"actions": 0}, window), Backlog({"actions": 0}, window), Backlog({"actions": 1}, None)]
    left = deque(answers)
    driver, _ = replay(tmp_path, clock, lambda: left.popleft() if left else IDLE, [])
    driver.advance_to(released_at(DAY))
    assert clock.moves == [window, released_at(DAY)]


def test_the_first_move_leaves_the_wall_clock_backward(tmp_path):
    clock = Clock(datetime(2026, 11, 22, tzinfo=UTC))
    driver, _ = replay(tmp_path, clock, lambda: IDLE, [])
    driver.advance_to(released_at(DAY))
    assert clock.moves == [released_at(DAY)]


def test_the_clock_waits_for_what_is_open(tmp_path):
    clock = Clock(datetime(2025, 7, 20, tzinfo=UTC))
    left = deque([Backlog({"lag": 3}, None)] * 3)
    seen: list[int] = []

    def backlog() -> Backlog:
        seen.append(len(clock.moves))
        return left.popleft() if left else IDLE

    driver, _ = replay(tmp_path, clock, backlog, [])
    driver.advance_to(released_at(DAY))
    assert seen[:4] == [0, 0, 0, 0]
    assert clock.moves == [released_at(DAY)]


def test_a_loop_that_stands_still_is_named(tmp_path):
    driver, _ = replay(tmp_path, Clock(datetime(2025, 7, 20, tzinfo=UTC)), lambda: Backlog({"outbox": 2, "lag": 0}, None), [], patience=0.3)
    with pytest.raises(EvergreenError, match="stands still: outbox 2"):
        driver.settle()


def test_a_file_nobody_can_read_is_announced_as_it_is_with_its_batch(tmp_path):
    clock = Clock(datetime(2025, 7, 1, tzinfo=UTC))
    (tmp_path / "half.json").write_text("[{")
    for silently in (False, True):
        driver, publisher = replay(tmp_path / "inbox", clock, lambda: IDLE, [])
        batch = Batch(DAY, DAY, rows(), unreadable=(tmp_path / "half.json",))
        driver.digest_silently(batch) if silently else driver.digest(batch)
        whole, half = publisher.events
        assert (whole.data["rows"], half.data["rows"], half.data["window"]) == (3, 0, whole.data["window"])
        assert Path(half.data["path"]).read_text() == "[{"
        assert half.data["sha256"] == hashlib.sha256(b"[{").hexdigest()
        assert half.id != whole.id
