"""The recommender worker as processes, on real Kafka, Postgres and Redis: each event counts once, and the next list knows of it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest

from evergreen.adapters.kafka import KafkaPublisher
from evergreen.adapters.kafka_admin import admin_client
from evergreen.adapters.redis_profiles import key
from evergreen.bootstrap import Parts
from evergreen.core.clock import wall_now
from evergreen.local_stack.home import Home
from evergreen.local_stack.processes import recorded
from evergreen.local_stack.scaling import scaler
from evergreen.local_stack.status import stack_status
from evergreen.local_stack.testing import stack
from evergreen.services.quiescence import RECOMMENDER_GROUP
from evergreen.settings import Settings
from tests.support.intake_stack import until
from tests.support.recommender_bench import RecommenderBench, published, recommender_bench, said
from tests.support.tiny_ranker import TinyRanker

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(300)]
RANKER = TinyRanker(prefix="")
NEAR_FIVE = {"1", "2", "3", "4", "6", "7", "8", "9"}
"""On the ring: a cosine of 0.8 is four steps away."""


@pytest.fixture
def bench(stack_settings: Settings) -> Iterator[RecommenderBench]:
    with recommender_bench(stack_settings) as made:
        yield made


def test_a_click_is_in_the_next_list_within_a_second(bench: RecommenderBench) -> None:
    bench.start()
    published(bench, [said("view", "bob", "5")])
    until(lambda: bench.taste("bob").count == 1, 60, lambda: (bench.taste("bob").count, bench.recorded(), bench.log()))
    until(lambda: bench.behind() == 0, 60, lambda: bench.behind())  # what other tests said comes before the click
    assert bench.list_of("bob") == {}

    begun = time.monotonic()
    click = said("recommendation_clicked", "bob", "5")
    published(bench, [click])
    until(lambda: bench.list_of("bob").get("as_of", "").startswith("clicks:"), 10)
    took = time.monotonic() - begun

    found = bench.list_of("bob")
    assert took < 1.0, took
    assert len(found["items"]) == 20
    assert "5" not in [item["item_id"] for item in found["items"]]
    assert found["items"][0]["item_id"] in NEAR_FIVE
    assert found["items"][0]["reason"] == "because you watched Movie 5"
    assert (found["version"], found["user_id"]) == ("movie_recommender@1", "bob")
    assert bench.taste("bob").boosts == dict.fromkeys(NEAR_FIVE, 1.5)
    until(lambda: bench.said("recommendations_updated", "bob"), 10)
    [updated] = bench.said("recommendations_updated", "bob")
    partition, offset = bench.taste("bob").as_of["clicks"]
    published(bench, [click])  # the same once more: it is reflected, and changes nothing
    until(lambda: bench.taste("bob").as_of["clicks"] == (partition, offset + 1), 10)
    assert bench.taste("bob").count == 2
    assert updated.data["source_item"] == "5"
    assert updated.data["trigger"] == "recommendation_clicked"
    assert set(updated.data["boosted_items"]) == NEAR_FIVE
    [pushed] = bench.said("recommendations_push", "bob")
    assert pushed.data["items"] == [item["item_id"] for item in found["items"][:10]]
    assert bench.redis.xlen(key("push", "bob")) == 1
    completed, told = bench.said("prediction_completed", "bob"), bench.said("prediction_feedback", "bob")
    assert [(event.subject, event.data["predicted"]) for event in completed] == [("bob:5", 0.5)]
    assert [event.data["outcome"] for event in told] == [{"relevant": 1}]
    assert completed[0].data["prediction_id"] == told[0].data["prediction_id"]


def test_a_purchase_lifts_the_item_for_those_with_the_same_taste(bench: RecommenderBench) -> None:
    bench.start()
    published(bench, [said("like", user, "10") for user in ("cat", "dan")] + [said("like", "eve", "30")])
    until(lambda: all(bench.list_of(user) for user in ("cat", "dan", "eve")), 20)

    def bought() -> bool:
        published(bench, [said("purchase", "cat", "11")])
        return "11" in bench.taste("dan").boosts

    until(bought, 30)
    assert bench.taste("dan").boosts == {"11": 1.2}
    assert bench.taste("eve").boosts == {}
    assert "11" not in bench.taste("cat").boosts
    assert "11" in bench.taste("cat").owned


def test_what_is_rated_low_leaves_the_kept_list_at_once(bench: RecommenderBench) -> None:
    bench.start()
    published(bench, [said("like", "kim", "20")])
    until(lambda: bench.list_of("kim"), 30, bench.log)
    for rating in (1.0, 3.0):
        disliked = listed(bench, "kim")[0]
        published(bench, [said("rated", "kim", disliked, rating=rating)])
        until(partial(gone, bench, "kim", disliked), 10, partial(bench.list_of, "kim"))
    until(lambda: len(bench.said("recommendations_push", "kim")) == 3, 10)
    assert len(bench.said("prediction_completed", "kim")) == 1, "nothing is gained by what is not liked"


def listed(bench: RecommenderBench, user: str) -> list[str]:
    return [item["item_id"] for item in bench.list_of(user)["items"]]


def gone(bench: RecommenderBench, user: str, item: str) -> bool:
    return item not in listed(bench, user)


def test_poison_goes_to_the_dead_letters_and_the_rest_goes_on(bench: RecommenderBench) -> None:
    bench.start()
    producer = bench.publisher._current()
    topic = "business.user.interaction"
    unknown = said("view", "fay", "1").model_copy(update={"data": {"user_id": "fay", "interaction_type": "stare", "item_ids": ["1"], "context": {}}})
    published(bench, [said("click", "fay", "1"), unknown, said("like", "fay", "2")])
    producer.produce(topic, value=b"\xff\xfe", key=b"fay")
    producer.flush(10)
    published(bench, [said("like", "fay", "3", time=wall_now() + timedelta(days=2)), said("purchase", "fay", "4")])
    until(lambda: bench.taste("fay").count == 3, 20, lambda: bench.taste("fay").count)
    until(lambda: bench.ask("SELECT count(*) FROM outbox WHERE topic = 'dead.letter'")[0][0] == 3, 20)
    assert "4" in bench.taste("fay").owned


def test_two_workers_share_the_users(bench: RecommenderBench) -> None:
    bench.start()
    bench.start()
    admin = admin_client(bench.parts.settings.kafka.bootstrap_servers)

    def shares() -> list[int]:
        found = admin.describe_consumer_groups([RECOMMENDER_GROUP])[RECOMMENDER_GROUP].result(10)
        return sorted(len(member.assignment.topic_partitions) for member in found.members)

    until(lambda: shares() == [4, 4], 30, shares)
    published(bench, [said("like", f"user{number}", str(number % 40)) for number in range(300)])
    until(lambda: len(bench.redis.keys("rec:list:*")) == 300, 30)
    assert bench.recorded() == 300


def test_who_is_forgotten_leaves_nothing(bench: RecommenderBench) -> None:
    bench.start()
    person = "forget-me-not"
    acts = [said("like", person, "10"), said("recommendation_clicked", person, "12"), said("rated", person, "13", rating=5.0, text=f"I am {person}")]
    published(bench, [*acts, said("like", "gus", "11")])
    until(lambda: bench.taste(person).count == 3 and bench.list_of(person) and bench.list_of("gus"), 20)
    assert bench.traces(person)

    gone = bench.parts.recommender.forget.run(person)

    assert gone["interactions"] == 3
    assert bench.traces(person) == []
    published(bench, acts)  # the app repeats what it said
    published(bench, [said("like", "gus", "12")])
    until(lambda: bench.taste("gus").count == 2, 20)
    assert bench.traces(person) == []
    published(bench, [said("like", person, "1")])  # a new beginning
    until(lambda: bench.taste(person).count == 1, 20)


def test_the_stack_runs_it_brings_it_back_and_scales_it() -> None:
    """As it is, without a champion: what users do is kept all the same."""
    with stack({"postgres", "kafka", "redis", "recommender"}) as settings:
        parts, home, scale = Parts(settings), Home(settings.home), scaler(settings)

        def state() -> tuple[str, int]:
            found = stack_status(settings.home).services["recommender"]
            return found.state, len(found.workers or [])

        assert state() == ("healthy", 1)
        before = recorded(home.pid_file("recommender-00"))
        assert before is not None
        before.send_signal(signal.SIGKILL)
        publisher = KafkaPublisher(settings.kafka)
        publisher.publish(said("like", "ann", "1"))
        until(lambda: recorded(home.pid_file("recommender-00")) not in (None, before), 60)

        def count() -> int:
            return int(parts.recommender.profiles.read(["ann"], wall_now())[0].count)

        until(lambda: count() == 1, 60, count)
        until(lambda: state() == ("healthy", 1), 30, state)
        assert parts.recommender.profiles.is_whole()
        scale.set("recommender", 2)
        until(home.ready_file("recommender-01").exists, 60)
        scale.set("recommender", 1)
        assert state() == ("healthy", 1)
        publisher.publish(said("like", "ann", "2"))
        until(lambda: count() == 2, 60, count)
        publisher.close()
