"""An answer that takes a while is made once for all who ask, and behind those who have one."""

from __future__ import annotations

import asyncio

import pytest

from evergreen.core.errors import Unavailable
from serving.kept import Kept

pytestmark = pytest.mark.anyio


class Slow:
    def __init__(self) -> None:
        self.made = 0
        self.go = asyncio.Event()
        self.go.set()
        self.away = False

    async def __call__(self) -> int:
        await self.go.wait()
        if self.away:
            raise Unavailable("away")
        self.made += 1
        return self.made


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_many_at_once_wait_for_one(anyio_backend: str) -> None:
    slow = Slow()
    slow.go.clear()
    kept = Kept(slow, fresh=60, usable=60)
    asking = [asyncio.create_task(kept.get()) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()  # whoever gives up takes nothing from the others
    slow.go.set()
    assert [await one for one in asking[1:]] == [1] * 19
    assert (await kept.get(), slow.made) == (1, 1)


async def test_an_old_answer_is_given_and_a_new_one_made_behind_it(anyio_backend: str) -> None:
    slow = Slow()
    kept = Kept(slow, fresh=0, usable=60)
    assert await kept.get() == 1
    assert await kept.get() == 1
    await asyncio.sleep(0.01)
    assert slow.made == 2
    assert await kept.get() == 2


async def test_what_cannot_be_made_anew_is_kept_while_it_is_usable(anyio_backend: str) -> None:
    slow = Slow()
    kept = Kept(slow, fresh=0, usable=60)
    await kept.get()
    slow.away = True
    assert [await kept.get() for _ in range(3)] == [1] * 3
    unusable = Kept(slow, fresh=0, usable=0)
    with pytest.raises(Unavailable):
        await unusable.get()
