"""What several want at once is made once, and nobody fails by another's fault."""

from __future__ import annotations

import asyncio

import pytest

from evergreen.services.single_flight import SingleFlight

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Work:
    def __init__(self, fail: int = 0) -> None:
        self.begun = 0
        self.go = asyncio.Event()
        self._fail = fail

    async def __call__(self) -> str:
        self.begun += 1
        number = self.begun
        await self.go.wait()
        await asyncio.sleep(0)
        if number <= self._fail:
            raise ValueError(f"attempt {number}")
        return f"made by {number}"


async def asked(flight: SingleFlight[str], work: Work, count: int) -> list[asyncio.Task[tuple[str, bool]]]:
    tasks = [asyncio.create_task(flight.run("k", work)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_one_makes_it_for_all() -> None:
    flight, work = SingleFlight[str](), Work()
    tasks = await asked(flight, work, 5)
    work.go.set()
    assert await asyncio.gather(*tasks) == [("made by 1", True)] + [("made by 1", False)] * 4
    assert await flight.run("k", work) == ("made by 2", True)  # nothing is remembered


async def test_other_keys_do_not_wait() -> None:
    flight, slow, fast = SingleFlight[str](), Work(), Work()
    [task] = await asked(flight, slow, 1)
    fast.go.set()
    assert await flight.run("other", fast) == ("made by 1", True)
    slow.go.set()
    await task


async def test_a_cancelled_maker_is_followed_by_the_next() -> None:
    flight, work = SingleFlight[str](), Work()
    first, *others = await asked(flight, work, 4)
    first.cancel()
    work.go.set()
    assert {made for made, _ in await asyncio.gather(*others)} == {"made by 2"}
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_maker_that_fails_fails_alone() -> None:
    flight, work = SingleFlight[str](), Work(fail=1)
    tasks = await asked(flight, work, 4)
    work.go.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], ValueError)
    assert {one[0] for one in found[1:] if not isinstance(one, BaseException)} == {"made by 2"}
    assert work.begun == 2


async def test_a_follower_that_is_cancelled_disturbs_nobody() -> None:
    flight, work = SingleFlight[str](), Work()
    first, second, third = await asked(flight, work, 3)
    second.cancel()
    work.go.set()
    assert (await first, await third) == (("made by 1", True), ("made by 1", False))
