"""`/system`, `/alerts`, `/silences` of a worker of twins: who may ask, and what is answered."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from evergreen.core.access import Role
from tests.support.serving_bench import Bench
from tests.support.watched_system import WALL

pytestmark = pytest.mark.anyio
PATHS = ("/system", "/system/series", "/system/topics", "/system/log", "/alerts", "/silences")
SILENCE = {"minutes": 60, "reason": "a planned change", "model": "video_performance"}


async def test_a_viewer_sees_everything_and_silences_nothing(running: Bench) -> None:
    async with running.client(Role.VIEWER) as viewer:
        assert [(await viewer.get(path)).status_code for path in PATHS] == [200] * len(PATHS)
        assert (await viewer.post("/silences", json=SILENCE)).status_code == 403
    async with running.client(Role.USER) as user:
        assert [(await user.get(path)).status_code for path in PATHS] == [403] * len(PATHS)


async def test_a_number_comes_with_what_it_was_and_an_unmeasured_one_says_so(client: httpx.AsyncClient) -> None:
    now = (await client.get("/system")).json()
    assert now["serving"]["requests_per_minute"] == {"value": 120.0, "before": 60.0}
    assert now["serving"]["p99_milliseconds"] == {"value": None, "before": 12.0}
    assert now["serving"]["memory_bytes"] == {"value": None, "before": None}
    assert (now["parts"][0]["name"], now["parts"][0]["lag"]) == ("intake", {"evergreen-intake": 3})


@pytest.mark.parametrize(("minutes", "step"), [(1, 10), (60, 10), (61, 11), (24 * 60, 240), (7 * 24 * 60, 1680)])
async def test_a_long_time_has_wider_steps_not_more_points(running: Bench, client: httpx.AsyncClient, minutes: int, step: int) -> None:
    assert (await client.get("/system/series", params={"minutes": minutes})).json()["step_seconds"] == step
    assert running.system.measured.since == WALL - timedelta(minutes=minutes)
    assert minutes * 60 / step <= 360


async def test_postgres_away_is_said_as_such(running: Bench, client: httpx.AsyncClient) -> None:
    running.system.measured.away = True
    answer = await client.get("/system")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:evergreen:problem:unavailable")


async def test_an_operator_silences_under_his_name_and_ends_it_again(running: Bench) -> None:
    async with running.client(Role.OPERATOR, subject="ann") as ann:
        made = await ann.post("/silences", json=SILENCE)
        assert (made.status_code, made.json()["who"], made.json()["running"]) == (201, "api:ann", True)
        [listed] = (await ann.get("/silences")).json()["silences"]
        assert listed == made.json()
        ended = await ann.post(f"/silences/{listed['id']}/end")
        [kept] = (await ann.get("/silences")).json()["silences"]
        assert (ended.status_code, ended.json(), kept["running"], kept["ended_by"]) == (200, kept, False, "api:ann")
        assert (await ann.post(f"/silences/{listed['id']}/end")).status_code == 404


@pytest.mark.parametrize("wrong", [{"reason": ""}, {"reason": "  "}, {"minutes": 0}, {"minutes": 43_201}, {"model": None}, {"up_to": "loud"}])
async def test_a_silence_without_reason_end_or_subject_is_refused(client: httpx.AsyncClient, wrong: dict[str, object]) -> None:
    answer = await client.post("/silences", json=SILENCE | wrong)
    assert answer.status_code == 422


async def test_a_silence_asked_for_again_with_the_same_key_is_the_same(running: Bench) -> None:
    async with running.client(Role.OPERATOR, subject="ann") as ann:
        key = {"idempotency-key": "k"}
        first, again = [await ann.post("/silences", json=SILENCE, headers=key) for _ in range(2)]
        assert (first.status_code, again.json()) == (201, first.json())
        other = await ann.post("/silences", json=SILENCE | {"reason": "another"}, headers=key)
        assert (other.status_code, other.json()["type"]) == (422, "urn:evergreen:problem:idempotency-key-reused")
        assert len((await ann.get("/silences")).json()["silences"]) == 1
