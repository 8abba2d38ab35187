from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.serving_bench import Bench


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
async def running(bench: Bench) -> AsyncIterator[Bench]:
    """With version 1 as champion."""
    await bench.serving.start()
    await bench.deployed(1)
    yield bench
    await bench.serving.stop()


@pytest.fixture
async def client(running: Bench) -> AsyncIterator[httpx.AsyncClient]:
    async with running.client() as client:
        yield client
