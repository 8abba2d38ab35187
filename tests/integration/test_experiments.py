"""From lists that were shown and clicks that were recorded to a verdict in the gates: real tables."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.bootstrap import Parts
from evergreen.contracts.actions import ActionKind
from evergreen.contracts.business import RecommendationsShown
from evergreen.contracts.envelope import Event, derived_id, encode, new_id
from evergreen.core.experiment import Variant
from evergreen.core.experiment_verdict import Counts
from evergreen.ports.messaging import Received
from evergreen.services.experiments import RecordedExperiments
from evergreen.services.record_in_bulk import Recorded
from evergreen.services.record_stream import RecordStream
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.events import NOON
from tests.support.gates_bench import gates_bench
from tests.support.tiny import NAME
from tests.support.trying import Trying

pytestmark = pytest.mark.connected
TOPIC = "prediction.completed"
HOUR = timedelta(hours=1)
CLICK = """INSERT INTO interactions (source, id, time, user_id, kind, item_ids, context, genres, stream, topic_id, kafka_partition, kafka_offset)
    VALUES ('/serving/x', %s, %s, %s, %s, '{318}', %s, '[]', 'clicks', 't', 0, 0)"""


@dataclass
class World:
    """What serving and the workers write down."""

    trying: Trying
    experiment: str = "diverse"
    told: int = 0
    lists: list[tuple[str, str, str, datetime]] = field(default_factory=list)

    @property
    def store(self) -> PostgresStore:
        assert isinstance(self.trying.store, PostgresStore)
        return self.trying.store

    def shown(self, user: str, variant: str | None, at: datetime, list_id: str | None = None) -> Received:
        """The message; `record` writes it down."""
        named = list_id or new_id()
        payload = RecommendationsShown(
            user_id=user,
            list_id=named,
            model_name=NAME,
            model_version=f"{NAME}@1",
            items=("318", "50"),
            experiment=None if variant is None else self.experiment,
            variant=variant,
        )
        event_id, data = derived_id(named, "recommendations_shown"), payload.model_dump(mode="json")
        event = Event(id=event_id, source=f"/serving/{NAME}", type="recommendations_shown", subject=user, time=at, data=data)
        self.told += 1
        if variant is not None:
            self.lists.append((user, named, variant, at))
        return Received(TOPIC, 0, self.told, user.encode(), encode(event), (), at)

    def record(self, *messages: Received) -> Recorded:
        return RecordStream(self.store, self.trying.clock, self.trying.specs).run(messages)

    def click(self, user: str, list_id: str | None, at: datetime, kind: str = "recommendation_click") -> None:
        context = {} if list_id is None else {"list_id": list_id, "position": 1}
        with self.store.transaction() as tx, tx.connection.cursor() as cursor:
            cursor.execute("SELECT ensure_partition('interactions', %s)", (at.date(),))
            cursor.execute(CLICK, (new_id(), at, user, kind, json.dumps(context)))

    def counts(self, at: datetime) -> Sequence[Counts]:
        with self.store.transaction() as tx:
            row = tx.experiments.get(self.experiment)
            assert row is not None
            return tx.experiments.counts(row, at)


@pytest.fixture
def world(postgres_settings: Settings) -> Iterator[World]:
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    made = World(Trying(store))
    made.trying.start()
    yield made
    store.close()


def test_a_list_is_recorded_once_whatever_is_delivered_again(world: World) -> None:
    first = world.shown("anna", "b", NOON + HOUR, "list-1")
    outside = world.shown("ben", None, NOON + HOUR)
    assert world.record(first, first, outside).new == 2
    assert world.record(first).new == 0
    with world.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("SELECT user_id, list_id, model, version, items, experiment, variant FROM exposures ORDER BY user_id")
        assert cursor.fetchall()[0] == ("anna", "list-1", NAME, 1, ["318", "50"], "diverse", "b")


def test_a_click_counts_after_its_list_within_the_users_time_and_once(world: World) -> None:
    day = timedelta(days=1)
    for user, at in (("early", HOUR), ("late", HOUR), ("twice", HOUR), ("other", HOUR), ("fine", HOUR), ("plain", HOUR)):
        world.record(world.shown(user, "b", NOON + at, f"list-{user}"))
    world.click("early", "list-early", NOON + HOUR / 2)  # before it was shown
    world.click("late", "list-late", NOON + HOUR + day + timedelta(seconds=1))
    for _ in range(2):
        world.click("twice", "list-twice", NOON + 2 * HOUR)
    world.click("other", "list-fine", NOON + 2 * HOUR)  # somebody else's list
    world.click("fine", "list-fine", NOON + HOUR + day)
    world.click("plain", "list-plain", NOON + 2 * HOUR, kind="click")  # not on a recommendation
    world.click("plain", None, NOON + 2 * HOUR)
    control, b = world.counts(NOON + 3 * day)
    assert control == Counts()
    assert (b.exposed, b.users, b.lists, b.clicks, b.clickers, b.total) == (6, 6, 6, 2, 2, 2.0)


def test_a_user_counts_once_by_his_first_variant_when_his_time_is_over(world: World) -> None:
    day = timedelta(days=1)
    world.record(world.shown("anna", "b", NOON + HOUR, "l1"), world.shown("anna", "control", NOON + 2 * HOUR, "l2"), world.shown("anna", "b", NOON + 30 * HOUR))
    world.record(world.shown("ben", "control", NOON + 10 * HOUR, "l3"))
    world.click("anna", "l2", NOON + 3 * HOUR)
    control, b = world.counts(NOON + HOUR + day + timedelta(minutes=4))
    assert (b.exposed, b.crossed, b.users, control.exposed, control.users) == (1, 1, 0, 1, 0)
    control, b = world.counts(NOON + HOUR + day + timedelta(minutes=5))
    assert (b.users, b.lists, b.clicks, b.total, control.users) == (1, 2, 1, 0.5, 0)
    assert [one.exposed for one in world.counts(NOON + HOUR / 2)] == [0, 0]


def test_any_traffic_is_counted_as_one_would_by_hand(world: World) -> None:
    """Against sums written out in Python, at several instants."""
    draw, window = random.Random(5), timedelta(hours=24)
    people = [f"user-{number}" for number in range(300)]
    messages = []
    for user in people:
        begun, variant = draw.uniform(0.1, 40), draw.choice(("control", "b"))
        for _ in range(draw.randint(1, 6)):
            at = NOON + HOUR * (begun + draw.expovariate(0.05))
            messages.append(world.shown(user, draw.choice(("control", "b")) if draw.random() < 0.03 else variant, at))
    world.trying.clock.advance(timedelta(days=30))
    assert world.record(*messages).new == len(messages)
    clicks = [(user, list_id, at + HOUR * draw.uniform(-0.5, 12)) for user, list_id, _, at in world.lists if draw.random() < 0.3]
    for click in clicks:
        world.click(*click)
    for hours in (20, 47, 100, 400):
        for found, wanted in zip(world.counts(NOON + HOUR * hours), by_hand(world, clicks, NOON + HOUR * hours, window), strict=True):
            assert asdict(found) == pytest.approx(asdict(wanted))
            assert wanted.exposed > 0


def by_hand(world: World, clicks: Sequence[tuple[str, str, datetime]], now: datetime, window: timedelta) -> list[Counts]:
    shown: dict[str, list[tuple[datetime, str, str]]] = defaultdict(list)
    for user, list_id, variant, at in world.lists:
        if at <= now:
            shown[user].append((at, list_id, variant))
    found = {"control": [0, 0, 0, 0, 0, 0, 0.0, 0.0], "b": [0, 0, 0, 0, 0, 0, 0.0, 0.0]}
    for user, lists in shown.items():
        lists.sort()
        first, variant = lists[0][0], lists[0][2]
        own = found[variant]
        own[0] += 1
        own[1] += any(other != variant for _, _, other in lists)
        if first + window + timedelta(minutes=5) > now:
            continue
        counted = {list_id: at for at, list_id, _ in lists if at <= first + window}
        clicked = {list_id for one, list_id, at in clicks if one == user and list_id in counted and counted[list_id] <= at <= first + window}
        rate = len(clicked) / len(counted)
        for place, value in enumerate((1, len(counted), len(clicked), bool(clicked), rate, rate**2), 2):
            own[place] += value
    return [Counts(*(int(value) for value in found[name][:6]), *found[name][6:]) for name in ("control", "b")]


def test_who_is_forgotten_was_shown_nothing(world: World) -> None:
    before, after = world.shown("anna", "b", NOON - HOUR, "l1"), world.shown("anna", "b", NOON + HOUR, "l2")
    assert world.record(before, world.shown("ben", "b", NOON - HOUR)).new == 2
    with world.store.transaction() as tx:
        assert tx.interactions.forget("anna", NOON)["exposures"] == 1
    assert world.record(before).new == 0
    assert world.record(after).new == 1


@pytest.mark.parametrize(("rate", "refused"), [(0.5, False), (0.1, True)], ids=["better", "worse"])
def test_its_verdict_is_one_of_the_gates(postgres_settings: Settings, tmp_path: Path, rate: float, refused: bool) -> None:
    """Version 2 is shown to half of the users; the evaluation that the experiment's end asks for hears how often they clicked."""
    with gates_bench(postgres_settings, tmp_path) as bench:
        world = World(Trying(bench.store, bench.clock, {NAME: bench.spec}), "newer")
        row = world.trying.start("newer", Variant("b", version=2))
        begun, rates = bench.clock.now() + HOUR, {"control": 0.25, "b": rate}
        draw, users = random.Random(3), [f"user-{number}" for number in range(800)]
        assigned = {user: variant.name for user in users if (variant := row.plan.variant_of(user)) is not None}
        world.record(*(world.shown(user, name, begun) for user, name in assigned.items()))
        for user, list_id, shown, at in world.lists:
            if draw.random() < rates[shown]:
                world.click(user, list_id, at + HOUR)
        world.trying.step.look()
        assert world.trying.row("newer").status == "running"
        bench.clock.advance(timedelta(hours=26))
        world.trying.step.look()
        assert world.trying.asked() == [(f"{NAME}@2", "experiment_over")]
        parts = Parts(postgres_settings)
        assert isinstance(parts.use_case(ActionKind.EVALUATE).__self__._experiments, RecordedExperiments)  # type: ignore[attr-defined]
        bench.experiments = RecordedExperiments(bench.store)  # type: ignore[assignment]
        failed = bench.judge()
        assert ("experiment" in failed) is refused
        if refused:
            assert "worse than the champion" in failed["experiment"]["detail"]
