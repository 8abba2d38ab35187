"""Intake, tick and sweeper around a store, with a clock and a policy a test can change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from evergreen.adapters.memory.store import MemoryStore
from evergreen.adapters.policy_file import load_policy
from evergreen.contracts.actions import ActionKind, ActionStatus
from evergreen.contracts.envelope import Event, decode, encode
from evergreen.contracts.topics import ACTIONS, DEAD_LETTER, TOPIC_OF
from evergreen.core.clock import FixedClock, wall_now
from evergreen.core.errors import InvalidPolicy
from evergreen.core.rules import Policy
from evergreen.environment import CHECKOUT
from evergreen.ports.messaging import Outgoing, Received
from evergreen.ports.records import DecisionRow, RecordStore, Trained
from evergreen.ports.storage import ActionRow
from evergreen.services.dead_letters import read_letter
from evergreen.services.intake import TakeIn, Taken
from evergreen.services.running_policy import RunningPolicy
from evergreen.services.sweep import Sweep
from evergreen.services.tick import Tick
from tests.support.events import MODEL, NOON

POLICY = load_policy(CHECKOUT / "policies" / "default.yaml")
CATALOGUE = {MODEL: ("videos.KR",), "video_performance_us": ("videos.US", "videos.KR")}


@dataclass
class Source:
    """A policy file that a test can change."""

    policy: Policy = POLICY
    broken: str = ""
    _version: int = 0

    def version(self) -> str:
        return f"{self._version}{self.broken}{self.policy.hash}"

    def load(self) -> Policy:
        if self.broken:
            raise InvalidPolicy(self.broken)
        return self.policy

    def who(self) -> str:
        return "tester"


@dataclass
class Bench:
    store: RecordStore
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOON))
    source: Source = field(default_factory=Source)
    offset: int = 0

    def __post_init__(self) -> None:
        self.policy = RunningPolicy(self.source, self.store, self.clock)
        self.take_in = TakeIn(self.store, self.clock, CATALOGUE, self.policy.current)
        self.tick = Tick(self.store, self.clock, CATALOGUE, {MODEL: 90}, self.policy.current, self.take_in)
        self.sweep = Sweep(self.store, self.clock, self.tick)

    def message(self, value: bytes | None, topic: str = "data.drift.detected", headers: Sequence[tuple[str, bytes | None]] = ()) -> Received:
        self.offset += 1
        return Received(topic, 0, self.offset, b"key", value, tuple(headers), wall_now(), wall_now())

    def send(self, *events: Event) -> Taken:
        return self.take_in.run([self.message(encode(one), TOPIC_OF[one.type]) for one in events])

    def decisions(self, model: str = MODEL) -> list[DecisionRow]:
        with self.store.transaction() as tx:
            return list(tx.decisions.chain(model))

    def outbox(self, topic: str) -> list[Outgoing]:
        with self.store.transaction() as tx:
            return [message for message in tx.outbox.unsent(10_000) if message.topic == topic]

    def requested(self) -> list[dict[str, Any]]:
        return [decode(message.value or b"").data["action"] for message in self.outbox(ACTIONS) if b"action_requested" in (message.value or b"")]

    def letters(self) -> list[str]:
        return [read_letter(Received(DEAD_LETTER, 0, one.seq, one.key, one.value, one.headers, NOON)).facts["reason"] for one in self.outbox(DEAD_LETTER)]

    def due(self, at: datetime | None = None) -> list[ActionRow]:
        with self.store.transaction() as tx:
            return tx.actions.due(at or self.clock.now())

    def claim(self, kind: ActionKind, run_id: str = "run") -> ActionRow:
        with self.store.transaction() as tx:
            claimed = tx.actions.claim(kind, run_id, self.clock.now(), timedelta(minutes=1))
            assert claimed is not None
            row = tx.actions.get(claimed.action.id)
            assert row is not None
            return row

    def carry_out_due(self) -> None:
        """What is due succeeds."""
        with self.store.transaction() as tx:
            for row in tx.actions.due(self.clock.now()):
                claimed = tx.actions.claim(row.action.kind, f"run-{row.action.id}", self.clock.now(), timedelta(minutes=1))
                if claimed is not None:
                    tx.actions.finish(claimed.lease, ActionStatus.SUCCEEDED, result={})


def champion(bench: Bench, **days: int) -> None:
    """Where there is one: the twin is told, the database is given rows."""
    trained = Trained(**{"champion_days": 100, "longest_days": 100, "available_days": 100, **days})
    if isinstance(bench.store, MemoryStore):
        bench.store.tables.champions[MODEL] = trained
        return
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:  # type: ignore[attr-defined]
        first = datetime(2025, 1, 1, tzinfo=UTC).date()
        for version, length in ((1, trained.champion_days), (2, trained.longest_days)):
            cursor.execute(
                """INSERT INTO model_versions (model, version, run_id, uri, cause, trained_from, trained_to, trained_rows, as_of)
                   VALUES (%s, %s, 'r', 'u', 'c', %s, %s, 10, %s)""",
                (MODEL, version, first, first + timedelta(days=length - 1), NOON),
            )
        cursor.execute("INSERT INTO champions VALUES (%s, 1, 1, gen_random_uuid(), %s)", (MODEL, NOON))
        cursor.execute(
            """INSERT INTO batches (dataset, batch_id, sha256, first_day, last_day, rows, quarantined, bronze_path, ingested_time)
               VALUES ('videos.KR', 'b', 'x', %s, %s, 10, 0, 'p', %s)""",
            (first, first + timedelta(days=trained.available_days - 1), NOON),
        )
