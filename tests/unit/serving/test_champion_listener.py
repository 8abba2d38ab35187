"""Following deployments: what is loaded, swapped and said, and what a sleeper may not say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

import serving.champion_listener as listening
from evergreen.core.errors import ArtifactRefused, Unavailable
from evergreen.ports.serving import Beat, ChampionNow
from tests.support.serving_bench import SPEC, Bench, Plain

pytestmark = pytest.mark.anyio
MODEL = SPEC.name


@pytest.fixture
async def started(bench: Bench) -> AsyncIterator[Bench]:
    await bench.serving.start()
    yield bench
    await bench.serving.stop()


def serving(bench: Bench) -> tuple[int, int] | None:
    champion = bench.slots.current(MODEL)
    return None if champion is None else (champion.loaded.version, champion.epoch)


async def test_it_prepares_swaps_and_says_so_in_this_order(started: Bench) -> None:
    deployment = uuid4()
    started.versions[1] = Plain(1)
    started.fleet.prepare(deployment, MODEL, 1)
    await started.until(lambda: started.fleet.acks)
    assert (started.fleet.acks, serving(started)) == ([("prepared", deployment, "")], None)
    started.fleet.flip(deployment)
    await started.until(lambda: len(started.fleet.acks) == 2)
    assert (started.fleet.acks[1], serving(started)) == (("serving", deployment, ""), (1, 1))
    assert started.fleet.beats[-1].serving == {MODEL: {"version": 1, "epoch": 1}}


async def test_a_version_at_fault_is_refused_with_its_reason_and_the_champion_stays(running: Bench) -> None:
    deployment = uuid4()
    running.versions[2] = ArtifactRefused("primary.skops: its SHA-256 is not the manifest's")
    running.fleet.prepare(deployment, MODEL, 2)
    await running.until(lambda: running.fleet.acks[-1][0] == "refused")
    assert running.fleet.acks[-1] == ("refused", deployment, "primary.skops: its SHA-256 is not the manifest's")
    assert serving(running) == (1, 1)


async def test_a_version_that_breaks_while_it_is_built_is_refused_too(running: Bench) -> None:
    running.versions[2] = MemoryError("too much")
    running.fleet.prepare(uuid4(), MODEL, 2)
    await running.until(lambda: running.fleet.acks[-1][0] == "refused")
    assert "MemoryError" in running.fleet.acks[-1][2]


async def test_a_registry_that_is_away_is_asked_again_and_nothing_is_refused(running: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.version_loads._RETRY_SECONDS", 0.01)
    monkeypatch.setattr(listening, "POLL_SECONDS", 0.02)
    deployment = uuid4()
    running.versions[2] = Unavailable("MLflow does not answer")
    running.fleet.prepare(deployment, MODEL, 2)
    await asyncio.sleep(0.1)
    running.versions[2] = Plain(2)
    await running.until(lambda: ("prepared", deployment, "") in running.fleet.acks)
    assert not [ack for ack in running.fleet.acks if ack[0] == "refused"]


async def test_what_was_closed_while_it_loaded_is_not_spoken_of(running: Bench) -> None:
    deployment = uuid4()
    running.versions[2] = Plain(2)
    running.hold.clear()
    running.fleet.prepare(deployment, MODEL, 2)
    await asyncio.sleep(0.05)
    running.fleet.close(deployment)
    running.hold.set()
    await running.until(lambda: 2 in running.loaded)
    await asyncio.sleep(0.05)
    assert not [ack for ack in running.fleet.acks if ack[1] == deployment]
    assert serving(running) == (1, 1)


async def test_an_acknowledgement_of_the_past_is_not_written(running: Bench) -> None:
    """The listener looked, then slept: what it says afterwards is held against what is so by then."""
    known = next(iter(running.fleet.champions.values()))
    running.fleet.acks.clear()
    await running.deployed(2)
    assert not await running.fleet.acknowledge_serving("serving-00:1:abc", known)
    assert all(ack[1] != known.deployment_id for ack in running.fleet.acks)


async def test_the_one_before_stays_loaded_and_older_ones_go(running: Bench) -> None:
    for version in (2, 3, 4):
        await running.deployed(version)
    assert [version for version in range(1, 5) if running.slots.held(MODEL, version)] == [3, 4]
    running.versions[3] = ArtifactRefused("it cannot be loaded again")
    await running.deployed(3)
    assert serving(running) == (3, 5)


async def test_a_revert_is_a_new_epoch_of_the_old_version(running: Bench) -> None:
    await running.deployed(2)
    await running.deployed(1)
    assert serving(running) == (1, 3)


async def test_during_the_bake_the_previous_champion_is_the_shadow(running: Bench) -> None:
    await running.deployed(2, shadow=True)
    champion = running.slots.current(MODEL)
    assert champion is not None
    assert champion.shadow is not None
    assert champion.shadow.version == 1
    running.fleet.end_bake(MODEL)
    await running.until(lambda: (now := running.slots.current(MODEL)) is not None and now.shadow is None)
    assert serving(running) == (2, 2)


async def test_without_postgres_the_champion_goes_on(running: Bench) -> None:
    running.fleet.away = True
    running.serving.listener.poke()
    await asyncio.sleep(0.05)
    assert (serving(running), running.serving.listener.ready) == ((1, 1), True)
    running.fleet.away = False
    await running.deployed(2)
    assert serving(running) == (2, 2)


async def test_a_worker_that_starts_without_postgres_takes_the_remembered_champion(running: Bench, tmp_path: Path) -> None:
    later = Bench(tmp_path)
    later.versions[1], later.fleet.away = Plain(1), True
    await later.serving.start()
    assert (serving(later), later.serving.listener.ready) == ((1, 1), True)
    await later.serving.stop()


async def test_a_worker_that_knows_nothing_is_not_ready_and_says_why(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.dependencies.FIRST_CHAMPION_SECONDS", 0.05)
    bench.fleet.away = True
    await bench.serving.start()
    async with bench.client() as client:
        answer = await client.get("/readyz")
    await bench.serving.stop()
    assert (answer.status_code, "Postgres" in answer.json()["detail"]) == (503, True)


async def test_a_worker_whose_champion_cannot_be_loaded_is_not_ready_and_says_why(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.dependencies.FIRST_CHAMPION_SECONDS", 0.2)
    bench.fleet.champions[MODEL] = ChampionNow(MODEL, 7, 3, uuid4())
    bench.versions[7] = Unavailable("MLflow does not answer")
    await bench.serving.start()
    await bench.until(lambda: "MLflow" in bench.serving.listener.missing())
    assert (bench.serving.listener.ready, bench.fleet.beats[-1].state) == (False, "starting")
    await bench.serving.stop()


async def test_a_worker_is_not_heard_of_before_it_can_answer(bench: Bench) -> None:
    """A promotion would wait for it, for as long as it loads."""
    bench.fleet.champions[MODEL] = ChampionNow(MODEL, 1, 1, uuid4())
    bench.versions[1] = Plain(1)
    bench.hold.clear()
    starting = asyncio.create_task(bench.serving.start())
    bench.fleet.prepare(uuid4(), MODEL, 2)
    await asyncio.sleep(0.1)
    assert (bench.fleet.beats, bench.fleet.acks) == ([], [])
    bench.hold.set()
    await starting
    assert (bench.fleet.beats[0].state, bench.fleet.beats[0].serving) == ("ready", {MODEL: {"version": 1, "epoch": 1}})
    await bench.serving.stop()


async def test_a_champion_that_changes_just_before_a_worker_is_heard_of_is_what_it_answers_with_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The promotion did not wait for it: there was nobody to wait for."""
    bench.versions |= {1: Plain(1), 2: Plain(2)}
    bench.fleet.champions[MODEL] = ChampionNow(MODEL, 1, 1, uuid4())
    monkeypatch.setattr(listening, "POLL_SECONDS", 60.0)
    beat, seen = bench.fleet.beat, list[Beat]()

    async def first(said: Beat) -> None:
        if not seen:
            bench.fleet.champions[MODEL] = ChampionNow(MODEL, 2, 2, uuid4())  # and the notification is not heard yet
        seen.append(said)
        await beat(said)

    monkeypatch.setattr(bench.fleet, "beat", first)
    await asyncio.wait_for(bench.serving.start(), 10)
    assert (seen[0].serving, serving(bench)) == ({MODEL: {"version": 1, "epoch": 1}}, (2, 2))
    await bench.serving.stop()


async def test_a_worker_told_to_end_while_it_starts_is_never_heard_of(bench: Bench) -> None:
    bench.fleet.champions[MODEL] = ChampionNow(MODEL, 1, 1, uuid4())
    bench.versions[1] = Plain(1)
    bench.hold.clear()
    starting = asyncio.create_task(bench.serving.start())
    await asyncio.sleep(0.05)
    bench.serving.listener.give_way()
    await asyncio.wait_for(starting, 5)
    assert bench.fleet.beats == []
    bench.hold.set()
    await bench.serving.stop()


async def test_a_worker_that_slept_asks_who_serves_before_it_answers(running: Bench) -> None:
    deployment = uuid4()
    running.fleet.heard = lambda: None  # the notification was lost in its sleep
    running.versions[2] = Plain(2)
    running.slots.hold(running.load(MODEL, 2))
    running.fleet.preparing.clear()
    running.fleet.champions[MODEL] = ChampionNow(MODEL, 2, 2, deployment)
    running.serving.listener._ticked -= listening.FROZEN_SECONDS + 1
    champion = await running.slots.champion(MODEL)
    assert (champion.loaded.version, champion.epoch) == (2, 2)


async def test_a_worker_that_slept_answers_in_the_end_even_without_postgres(running: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "POLL_SECONDS", 0.05)
    running.fleet.away = True
    running.serving.listener._ticked -= listening.FROZEN_SECONDS + 1
    assert (await running.slots.champion(MODEL)).loaded.version == 1


async def test_a_draining_worker_promises_nothing_more(running: Bench) -> None:
    await running.serving.drain()
    running.versions[2] = Plain(2)
    running.fleet.prepare(uuid4(), MODEL, 2)
    await running.until(lambda: running.slots.held(MODEL, 2) is not None)
    await asyncio.sleep(0.05)
    assert [ack[0] for ack in running.fleet.acks] == ["prepared", "serving"]
    assert running.fleet.beats[-1].state == "draining"
