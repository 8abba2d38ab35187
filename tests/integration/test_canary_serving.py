"""A canary on real serving: two workers on one socket, under load, promoted to by the real protocol."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from evergreen.core.canary import is_asked
from evergreen.core.errors import DeploymentRefused
from evergreen.services.promote import Promote
from evergreen.settings import Settings
from tests.support.rollout import ASKERS, BREAKS, FIRST, GOOD, MODEL, NO_NUMBER, SHARE, SLOW, Asking, Rollout, asked, promoting, rollout
from tests.support.worker_processes import until

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(300)]
Told = Callable[[str, object], None]


@pytest.fixture(scope="module")
def loop(stack_settings: Settings) -> Iterator[Rollout]:
    with rollout(stack_settings, GOOD, BREAKS, NO_NUMBER, SLOW) as found:
        yield found


@pytest.mark.parametrize(
    ("version", "why", "answers"),
    [
        pytest.param(BREAKS, "answers failed, 1% is allowed", True, id="raises-on-five-percent"),
        pytest.param(NO_NUMBER, "answers failed, 1% is allowed", False, id="says-no-number"),
        pytest.param(SLOW, "answers were too slow, 1% is allowed", True, id="sleeps-300-ms"),
    ],
)
def test_a_bad_one_is_cancelled_and_quarantined_and_costs_nobody_an_answer(loop: Rollout, record_property: Told, version: int, why: str, answers: bool) -> None:
    loop.approved(version)
    claim = loop.claim(version)
    with asked(loop.workers, odd_in=20 if version == BREAKS else 0) as asking, ThreadPoolExecutor(1) as pool:
        running = pool.submit(Promote(loop.deploy(120)).run, claim)
        until(lambda: loop.status() == "canary", 60)
        begun = time.monotonic()
        until(lambda: loop.counted() >= 100 or running.done(), 60)
        hundredth = time.monotonic()
        with pytest.raises(DeploymentRefused, match=why):
            running.result(150)
        ended = time.monotonic()
        time.sleep(3)
    with loop.store.transaction() as tx:
        row = tx.versions.get(MODEL, version)
    assert row is not None
    record_property("cancelled", f"after {ended - begun:.1f} s, {ended - hundredth:.1f} s after 100: {row.quarantined}; {len(asking.heard)} answers")
    assert why in str(row.quarantined)
    assert ended - hundredth < 15
    assert asking.failures == []
    theirs = {f"{MODEL}@{version}"} if answers else set()
    assert _versions(asking, until=ended) == {f"{MODEL}@{FIRST}"} | theirs
    assert _versions(asking, since=ended + 1.5) == {f"{MODEL}@{FIRST}"}
    assert loop.champion() == FIRST
    with pytest.raises(DeploymentRefused, match="quarantined"):
        Promote(loop.deploy(1)).run(loop.claim(version, forced=True, reason="drill"))


def _versions(asking: Asking, since: float = 0.0, until: float = float("inf")) -> set[str]:
    return {one.version for one in asking.heard if since < one.at < until}


def test_a_good_one_answers_its_share_and_takes_over_while_the_cache_is_emptied(loop: Rollout, record_property: Told) -> None:
    """The run that promotes it is killed meanwhile, and taken up."""
    loop.approved(GOOD)
    action = loop.claim(GOOD).action.id
    redis = Redis.from_url(loop.settings.redis.url.get_secret_value())
    with asked(loop.workers) as asking:
        first = promoting(loop.settings, action, 14)
        until(lambda: loop.status() == "canary", 60)
        begun = time.monotonic() + 1.5  # every worker has heard of it
        first.send_signal(signal.SIGKILL)
        first.wait()
        second = promoting(loop.settings, action, 14)
        for _ in range(4):
            time.sleep(2)
            redis.flushdb()
        ended = time.monotonic()
        assert second.wait(120) == 0
        confirmed = time.monotonic()
        time.sleep(1)
    deployed = loop.history()[0]
    assert (deployed.action_id, deployed.status) == (action, "confirmed")
    assert asking.failures == []
    during = [one for one in asking.heard if begun < one.at < ended]
    fresh = {one.entity: one.version for one in during if one.entity.startswith("new")}
    share = sum(version == f"{MODEL}@{GOOD}" for version in fresh.values()) / len(fresh)
    record_property("share", f"{share:.3f} of {len(fresh)} entities, {len(during) / (ended - begun):.0f} answers/s; {deployed.canary_verdict}")
    assert len(fresh) > 300
    assert abs(share - SHARE) < 0.03 + 2 * (SHARE * (1 - SHARE) / len(fresh)) ** 0.5
    assert all((one.version == f"{MODEL}@{GOOD}") is is_asked(f"{MODEL}@{GOOD}", one.entity, SHARE) for one in during)
    assert all(one.prediction == pytest.approx(loop.expected(int(one.version[-1])), abs=1e-9) for one in asking.heard)
    assert str(deployed.canary_verdict).startswith("canary of 20%: ")
    assert "failed" in str(deployed.canary_verdict)
    assert _versions(asking, since=confirmed) == {f"{MODEL}@{GOOD}"}


def test_a_worker_that_is_killed_meanwhile_leaves_the_verdict_to_the_other(loop: Rollout, record_property: Told) -> None:
    loop.approved(FIRST)
    claim = loop.claim(FIRST)
    with asked(loop.workers) as asking, ThreadPoolExecutor(1) as pool:
        running = pool.submit(Promote(loop.deploy(14)).run, claim)
        until(lambda: loop.status() == "canary", 60)
        time.sleep(4)
        loop.workers.signal("serving-01", signal.SIGKILL)
        result = running.result(120)
    assert [name.split(":")[0] for name in result["confirmed_by"]] == ["serving-00"]
    assert loop.champion() == FIRST
    assert len(asking.failures) <= ASKERS  # those whose connection died with it
    record_property("killed", f"{result['canary']}; {asking.failures}")
