"""Leases: few questions, never more than the limit, and an end to a worker's own share when nobody answers."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from itertools import pairwise

import pytest

from evergreen.adapters.memory.limits import MemoryLimits
from evergreen.ports.limits import LEASE_SECONDS, SLOTS, WINDOW_SECONDS
from serving.auth.ledger import Ledger
from serving.auth.limiter import Limiter, Policy

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared(clock: Clock) -> MemoryLimits:
    return MemoryLimits(clock)


def workers(shared: MemoryLimits, clock: Clock, number: int = 2) -> list[Limiter]:
    return [Limiter(shared, workers=number, now=clock) for _ in range(number)]


async def flood(limiter: Limiter, policy: Policy, times: int, cost: int = 1) -> int:
    verdicts = [await limiter.admit(policy, "a", cost) for _ in range(times)]
    return sum(cost for verdict in verdicts if verdict.admitted)


@pytest.mark.parametrize("limit", [1, 7, 600, 10_000])
async def test_two_workers_let_exactly_the_limit_through(shared: MemoryLimits, clock: Clock, limit: int) -> None:
    one, two = workers(shared, clock)
    through = sum([await flood(limiter, Policy("p", limit), 50) for _ in range(limit // 50 + 2) for limiter in (one, two)])
    assert through == limit


async def test_a_known_caller_costs_a_question_a_second_and_not_one_a_request(shared: MemoryLimits, clock: Clock) -> None:
    [limiter] = workers(shared, clock, 1)
    for _ in range(100):
        for _ in range(1000):
            clock.now += 0.0001
            assert (await limiter.admit(Policy("service", 6_000_000), "a")).admitted
    assert shared.asked <= 25


async def test_what_was_not_spent_is_given_back(shared: MemoryLimits, clock: Clock) -> None:
    one, two = workers(shared, clock)
    policy = Policy("p", 600)
    await flood(one, policy, 100)
    clock.now += LEASE_SECONDS + 0.1
    await flood(one, policy, 1)  # a new lease; the rest of the old one went back
    clock.now += LEASE_SECONDS + 0.1
    await flood(one, policy, 1)
    assert await flood(two, policy, 1000) >= 600 - 102 - 75  # one lease at most lies with the other


async def test_a_lease_ends_and_is_not_spent_afterwards(shared: MemoryLimits, clock: Clock) -> None:
    [limiter] = workers(shared, clock, 1)
    await flood(limiter, Policy("p", 60_000), 1)
    asked = shared.asked
    clock.now += LEASE_SECONDS
    await flood(limiter, Policy("p", 60_000), 1)
    assert shared.asked == asked + 1


async def test_a_refusal_says_when_to_come_back_and_then_it_is_so(shared: MemoryLimits, clock: Clock) -> None:
    [limiter] = workers(shared, clock, 1)
    policy = Policy("p", 10)
    assert await flood(limiter, policy, 12) == 10
    refused = await limiter.admit(policy, "a")
    assert (refused.admitted, refused.remaining) == (False, 0)
    clock.now += refused.retry_after - 0.5
    assert not (await limiter.admit(policy, "a")).admitted
    clock.now += 0.6
    assert (await limiter.admit(policy, "a")).admitted


async def test_more_at_once_than_the_limit_is_never_let_through_and_costs_nothing(shared: MemoryLimits, clock: Clock) -> None:
    [limiter] = workers(shared, clock, 1)
    verdict = await limiter.admit(Policy("p", 10), "a", 11)
    assert (verdict.admitted, verdict.retry_after) == (False, 0.0)
    assert await flood(limiter, Policy("p", 10), 12) == 10


async def test_callers_do_not_spend_each_others(shared: MemoryLimits, clock: Clock) -> None:
    [limiter] = workers(shared, clock, 1)
    assert await flood(limiter, Policy("p", 5), 9) == 5
    assert (await limiter.admit(Policy("p", 5), "b")).admitted


async def test_many_at_once_wait_for_one_lease(shared: MemoryLimits, clock: Clock) -> None:
    [limiter] = workers(shared, clock, 1)
    verdicts = await asyncio.gather(*(limiter.admit(Policy("p", 6000), "a") for _ in range(200)))
    assert all(verdict.admitted for verdict in verdicts)
    assert shared.asked <= 4


async def test_without_redis_each_worker_lets_its_share_through(shared: MemoryLimits, clock: Clock) -> None:
    said: list[bool] = []
    two = [Limiter(shared, workers=2, now=clock, on_degraded=said.append) for _ in range(2)]
    shared.away = True
    assert [await flood(limiter, Policy("p", 100), 90) for limiter in two] == [50, 50]
    assert said == [True, True]
    assert all(limiter.degraded for limiter in two)


async def test_what_was_let_through_before_counts_against_the_share(shared: MemoryLimits, clock: Clock) -> None:
    [limiter, _] = workers(shared, clock)
    assert await flood(limiter, Policy("p", 100), 40) == 40
    shared.away = True
    clock.now += 2
    assert await flood(limiter, Policy("p", 100), 90) == 10


async def test_when_redis_is_back_it_is_told_of_what_it_missed(shared: MemoryLimits, clock: Clock) -> None:
    one, two = workers(shared, clock)
    shared.away = True
    assert await flood(one, Policy("p", 100), 90) == 50
    shared.away = False
    clock.now += 2
    await flood(one, Policy("p", 100), 1)
    assert not one.degraded
    assert await flood(two, Policy("p", 100), 90) <= 49


@pytest.mark.parametrize("seed", range(12))
async def test_no_minute_holds_more_than_the_limit_whatever_workers_do(seed: int) -> None:
    """Random traffic of three workers, some of them dying and coming back, bursts, pauses and batches."""
    draw, clock = random.Random(seed), Clock()
    shared, limit = MemoryLimits(clock), draw.choice([5, 60, 100])
    policy, fleet = Policy("p", limit), workers(shared, clock, 3)
    let: list[tuple[float, int]] = []
    for _ in range(4000):
        clock.now += draw.choice([0, 0, 0, 0.01, 0.2, 1.1, draw.uniform(0, 8)])
        if draw.random() < 0.01:
            fleet[draw.randrange(3)] = workers(shared, clock, 3)[0]
        cost = draw.choice([1, 1, 1, 2, 5])
        if (await draw.choice(fleet).admit(policy, "a", cost)).admitted:
            let.append((clock.now, cost))
    window: deque[tuple[float, int]] = deque()
    total = most = 0
    for at, cost in let:
        window.append((at, cost))
        total += cost
        while window[0][0] <= at - WINDOW_SECONDS:
            total -= window.popleft()[1]
        most = max(most, total)
    assert most <= limit
    assert most >= limit * 0.8  # and it is no trick of letting little through
    assert all(earlier[0] <= later[0] for earlier, later in pairwise(let))


def test_a_ledger_forgets() -> None:
    ledger = Ledger(SLOTS)
    ledger.add(10.0, 3)
    ledger.add(10.5, 2)
    ledger.add(30.0, 5)
    assert (ledger.total(40.0), ledger.wait(40.0, 1), ledger.wait(40.0, 6)) == (10, 32.0, 52.0)
    assert ledger.total(10 + SLOTS) == 5
    assert ledger.wait(20.0 + SLOTS, 100) == SLOTS
