"""Pushed lists on twins: who gets which, what a cut loses, who is sent away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from evergreen.contracts.api_recommendations import RecommendationList
from evergreen.core.access import ALLOWED, Need, Principal, Role
from evergreen.core.clock import wall_now
from evergreen.core.errors import Unavailable
from evergreen.ports.pushes import Pushed
from serving.auth.refusals import TooManyRequests, Unauthorized
from serving.push import AT_ONCE, PushHub
from tests.support.listed import list_body
from tests.support.serving_bench import Bench

pytestmark = pytest.mark.anyio
U1 = Principal("u1", frozenset({Role.USER}), expires_at=2**40)


def lists(hub: PushHub, after: str | None = None, principal: Principal = U1) -> AsyncIterator[Pushed | None]:
    return hub.lists(hub.join(principal.subject, principal), after)


async def bodies(stream: AsyncIterator[Pushed | None], count: int) -> list[bytes]:
    found: list[bytes] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            pushed = await anext(stream)
            found += [pushed.body] if pushed is not None else []
    return found


async def test_each_hears_of_own_lists_only(bench: Bench) -> None:
    one, other = lists(bench.hub), lists(bench.hub, principal=Principal("u2", frozenset({Role.USER})))
    waiting = asyncio.create_task(bodies(one, 2))
    await asyncio.sleep(0)
    bench.pushes.push("u2", b"theirs")
    bench.pushes.push("u1", b"1")
    bench.pushes.push("u1", b"2")
    assert await waiting == [b"1", b"2"]
    assert await bodies(other, 1) == [b"theirs"]


async def test_a_cut_in_a_burst_loses_and_doubles_nothing(bench: Bench) -> None:
    sent = [(bench.pushes.push("u1", b"%d" % number), b"%d" % number) for number in range(AT_ONCE * 3)]
    for cut in (0, 3, AT_ONCE, AT_ONCE * 2 + 1):
        assert await bodies(lists(bench.hub, sent[cut][0]), len(sent) - cut - 1) == [body for _, body in sent[cut + 1 :]]
        bench.hub = PushHub(bench.pushes, bench.pushes, per_worker=9, per_user=9)


async def test_a_list_made_between_a_look_and_its_end_is_not_missed(bench: Bench) -> None:
    """The word comes while the reader still asks for what was there before."""
    first = bench.pushes.push("u1", b"1")
    asked, answer = asyncio.Event(), asyncio.Event()
    after = bench.pushes.after

    async def slow(user: str, place: str, most: int) -> list[Pushed]:
        found = list(await after(user, place, most))
        asked.set()
        await answer.wait()
        return found

    bench.pushes.after = slow  # type: ignore[method-assign]
    waiting = asyncio.create_task(bodies(lists(bench.hub, first), 1))
    await asyncio.sleep(0)
    bench.pushes.wake("u1")
    await asked.wait()
    bench.pushes.push("u1", b"2")
    answer.set()
    assert await waiting == [b"2"]


async def test_while_redis_is_away_a_stream_stays_and_goes_on_behind_its_place(bench: Bench) -> None:
    stream = lists(bench.hub)
    bench.pushes.push("u1", b"1")
    assert await bodies(stream, 1) == [b"1"]
    bench.pushes.away = True
    bench.pushes.push("u1", b"2")
    assert await anext(stream) is None  # a heartbeat
    bench.pushes.away = False
    bench.pushes.wake(None)
    assert await bodies(stream, 1) == [b"2"]


async def test_a_stream_lasts_no_longer_than_its_token(bench: Bench) -> None:
    minted = bench.door.mint.mint("u1", [Role.USER], 10)
    principal = bench.door.access.gate.authenticator.principal(f"Bearer {minted.token}")
    stream = lists(bench.hub, principal=principal)
    assert await anext(stream) is None
    bench.door.manage.revoke_token(minted.token_id, wall_now(), "test")
    await bench.door.access.follower.look()
    with pytest.raises(Unauthorized, match="revoked"):
        await anext(stream)


async def test_only_so_many_are_let_in_and_each_is_told_why(bench: Bench) -> None:
    hub = PushHub(bench.pushes, bench.pushes, per_worker=4, per_user=2)
    seats = [hub.join("u1", U1) for _ in range(2)]
    with pytest.raises(TooManyRequests, match="2 streams of this user"):
        hub.join("u1", U1)
    seats += [hub.join("u1", Principal("ann", frozenset({Role.ANALYST}))), hub.join("u2", U1)]  # who looks on takes nobody's place
    with pytest.raises(Unavailable, match="4 streams are open in this worker"):
        hub.join("u4", U1)
    for seat in seats:
        hub.leave(seat)
    assert hub.count == 0
    hub.join("u1", U1)


async def test_a_worker_that_goes_sends_everybody_away(bench: Bench) -> None:
    streams = [lists(bench.hub) for _ in range(3)]
    waiting = [asyncio.create_task(anext(stream, None)) for stream in streams]
    await asyncio.sleep(0)
    bench.hub.drain()
    assert await asyncio.wait_for(asyncio.gather(*waiting), 5) == [None] * 3
    with pytest.raises(Unavailable, match="going away"):
        bench.hub.join("u1", U1)


async def test_nobody_listens_where_nobody_waits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str | None] = []
    monkeypatch.setattr(bench.hub, "wake", heard.append)
    bench.pushes.push("u1", b"0")
    seat = bench.hub.join("u1", U1)
    await asyncio.sleep(0)
    bench.pushes.push("u1", b"1")
    bench.hub.leave(seat)
    await asyncio.sleep(0)
    bench.pushes.push("u1", b"2")
    assert heard == [None, "u1"]


async def stream(client: httpx.AsyncClient, user: str = "u1", query: str = "", **headers: str) -> httpx.Response:
    return await client.get(f"/recommendations/{user}/stream?seconds=0{query}", headers=headers)


async def test_it_reads_as_server_sent_events(client: httpx.AsyncClient, running: Bench) -> None:
    first, second = (running.pushes.push("u1", list_body("u1", number)) for number in (1, 2))
    answer = await stream(client)
    assert (answer.status_code, answer.headers["content-type"], answer.headers["cache-control"]) == (200, "text/event-stream; charset=utf-8", "no-store")
    head, *events, end = answer.text.split("\n\n")
    assert (head[:7], end) == ("retry: ", "")
    [[place, name, data]] = [event.split("\n") for event in events]
    assert (place, name) == (f"id: {second}", "event: recommendations")
    told = RecommendationList.model_validate_json(data.removeprefix("data: "))
    assert (told.as_of, [item.position for item in told.items]) == ("interactions:0:2", list(range(1, 11)))
    assert running.lists.shown[-1] == ("u1", tuple(item.item_id for item in told.items))
    for missed in (await stream(client, **{"Last-Event-ID": first}), await stream(client, query=f"&last_event_id={first}")):
        assert missed.text.split("\n\n")[1:-1] == events
    assert (await stream(client, **{"Last-Event-ID": second})).text.split("\n\n")[1:-1] == []


async def test_a_stream_counts_when_it_begins_not_when_it_ends(running: Bench) -> None:
    async with running.client() as client:
        assert (await client.get("/livez")).status_code == 200  # waits for FastAPI
        assert (await client.get("/recommendations/u1/stream?seconds=1")).status_code == 200
    running.metrics.flush()
    said = running.metrics.render().decode()
    assert 'api_request_duration_seconds_bucket{endpoint="/recommendations/{user_id}/stream",le="0.5"} 1.0' in said
    assert 'recommendation_streams{kind="sse"} 0.0' in said
    assert 'recommendation_streams_ended_total{kind="sse",why="done"} 1.0' in said


@pytest.mark.parametrize("body", [b"nonsense", b"{}", list_body("u2", 1), b'{"user_id": "u1", "items": 3}'])
async def test_what_is_no_list_of_this_user_is_not_sent(client: httpx.AsyncClient, running: Bench, body: bytes) -> None:
    running.pushes.push("u1", body)
    assert (await stream(client)).text.split("\n\n")[1:-1] == []
    assert running.lists.shown == []


async def test_a_user_sees_nobody_elses(running: Bench) -> None:
    running.pushes.push("u1", list_body("u1", 1, filler="secret"))
    for role in Role:
        answer = await stream(running.client(role, subject="u2"))
        assert answer.status_code == (200 if role in ALLOWED[Need.OWN] - {Role.USER} else 403), role
        assert ("secret" in answer.text) == (answer.status_code == 200)
    assert "secret" in (await stream(running.client(Role.USER, subject="u1"))).text
    assert (await stream(running.client(token=""))).status_code == 401


async def test_a_ticket_opens_one_stream_of_its_user(running: Bench) -> None:
    async def ticket() -> str:
        async with running.client(Role.USER, subject="u1") as client:
            return str((await client.post("/auth/ticket")).json()["ticket"])

    async with running.client(token="") as browser:
        good = await ticket()
        assert [(await stream(browser, query=f"&ticket={good}")).status_code for _ in range(2)] == [200, 401]
        assert (await stream(browser, user="u2", query=f"&ticket={await ticket()}")).status_code == 403
        assert (await stream(browser, query="&ticket=made-up")).status_code == 401
        assert (await browser.get(f"/models?ticket={await ticket()}")).status_code == 401  # only where it says so


@pytest.mark.parametrize("query", ["&last_event_id=yesterday", "&last_event_id=1", "&seconds=-1", "&seconds=4000"])
async def test_what_is_no_place_is_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/recommendations/u1/stream?{query.lstrip('&')}")).status_code == 422
