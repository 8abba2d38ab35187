"""Many who look at the loop cost one look at the database."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from evergreen.services.overview import ShowOverview
from serving.routes import overview as routes
from tests.support.overviews import overview

pytestmark = pytest.mark.anyio


class Looks:
    def __init__(self) -> None:
        self.made = 0

    async def run(self) -> dict[str, Any]:
        self.made += 1
        await asyncio.sleep(0)
        return overview(events={"per_minute": [], "newest": []}, models=[], actions={"pending": self.made, "running": 0, "asking": 0, "first": []})


@pytest.fixture
def looks() -> Looks:
    return Looks()


@pytest.fixture
def client(looks: Looks) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(routes.overview_routes(cast(ShowOverview, looks)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://serving")


async def test_it_is_made_once_a_second_however_many_look(client: httpx.AsyncClient, looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = 1_000.0
    monkeypatch.setattr("serving.kept.time", SimpleNamespace(monotonic=lambda: passed))
    answers = await asyncio.gather(*(client.get("/overview") for _ in range(20)))
    assert ({answer.status_code for answer in answers}, looks.made) == ({200}, 1)
    passed += 0.9
    assert (await client.get("/overview")).json()["actions"]["pending"] == 1
    passed += 0.2
    assert (await client.get("/overview")).json()["actions"]["pending"] == 2  # never older than a second
