"""Who is let in: forged tokens, roles by routes, limits, addresses, bodies, browsers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from starlette.routing import Route, WebSocketRoute

from evergreen.adapters.token_keys import key_file, rotate
from evergreen.core.access import ALLOWED, BadToken, Need, Principal, Role
from evergreen.core.clock import wall_now
from evergreen.settings_auth import AuthSettings, LimitSettings
from serving.auth.needs import declared
from tests.support.forged import FORGED, claims, signed
from tests.support.serving_bench import Bench

pytestmark = pytest.mark.anyio
BODY = {"video_id": "a", "features": {}}


@pytest.fixture
async def plain(running: Bench) -> AsyncIterator[httpx.AsyncClient]:
    """Without a token, from somewhere else."""
    async with running.client(token="", peer="203.0.113.9") as client:
        yield client


async def started(folder: Path, auth: AuthSettings) -> Bench:
    bench = Bench(folder, auth=auth)
    await bench.serving.start()
    await bench.deployed(1)
    return bench


def routes(bench: Bench) -> list[tuple[str, str, Need]]:
    """(method, path, need) of every route there is, its free parts filled in; users are the caller. Sockets: `test_push_sockets`."""
    found = []
    for route in bench.app.api.router.routes:
        assert isinstance(route, Route | WebSocketRoute), f"{route} is no plain route: say who may use it"
        need = declared(route)
        assert need is not None, f"{route.path} declares no need"
        if isinstance(route, WebSocketRoute):
            continue
        path = re.sub(r"\{[^}]+\}", "1", re.sub(r"\{[^}]+:uuid\}", str(UUID(int=1)), route.path.replace("{user_id}", "test")))
        path += "?seconds=0" if path.endswith("/stream") else ""
        found += [(method, path, need) for method in sorted((route.methods or set()) - {"HEAD"})]
    return found


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_opens_nothing_and_hears_why_in_general(running: Bench, plain: httpx.AsyncClient, name: str) -> None:
    token = FORGED[name](running.door.access.keys.ring).encode("utf-8")
    for method, path in (("POST", "/predict/video"), ("GET", "/models")):
        answer = await plain.request(method, path, json=BODY if method == "POST" else None, headers=[(b"authorization", b"Bearer " + token)])
        assert answer.status_code == 401, (path, answer.text)
        assert answer.headers["www-authenticate"].startswith('Bearer realm="evergreen"')
        assert "mallory" not in answer.text
    assert (await running.client().get("/models")).status_code == 200


@pytest.mark.parametrize(
    "header", [b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"bearer\t%b", b"Token %b", b"%b", b"Bearer  %b", b"Bearer %b %b", b"Bearer " + b"x" * 9000]
)
async def test_a_header_that_is_no_bearer_token_is_401(running: Bench, plain: httpx.AsyncClient, header: bytes) -> None:
    token = running.door.token(Role.SERVICE).encode()
    answer = await plain.get("/models", headers=[(b"authorization", header.replace(b"%b", token))])
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:evergreen:problem:unauthorized")


async def test_two_authorization_headers_are_none(running: Bench, plain: httpx.AsyncClient) -> None:
    good = f"Bearer {running.door.token(Role.SERVICE)}".encode()
    assert (await plain.get("/models", headers=[(b"authorization", good), (b"authorization", good)])).status_code == 401
    assert (await plain.get("/models", headers=[(b"authorization", good)])).status_code == 200


async def test_without_a_token_it_says_where_one_comes_from(plain: httpx.AsyncClient) -> None:
    answer = await plain.get("/models")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="evergreen"')
    assert "/auth/token" in answer.json()["detail"]


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_gets_what_its_routes_need_and_nothing_else(running: Bench, role: Role) -> None:
    async with running.client(role, peer="203.0.113.9") as client:
        for method, path, need in routes(running):
            answer = await client.request(method, path, content=b"{}" if method == "POST" else None, headers={"content-type": "application/json"})
            if role in ALLOWED[need]:
                assert answer.status_code not in {401, 403}, (role, method, path, answer.text)
            else:
                assert answer.status_code == 403, (role, method, path)
                assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


async def test_without_a_token_only_what_is_declared_public_answers(running: Bench, plain: httpx.AsyncClient) -> None:
    open_to_all = set()
    for method, path, need in routes(running):
        answer = await plain.request(method, path, content=b"{}" if method == "POST" else None, headers={"content-type": "application/json"})
        assert (answer.status_code == 401) == (need is not Need.PUBLIC), (method, path)
        open_to_all |= {path} if answer.status_code != 401 else set()
    declared_public = {"/livez", "/readyz", "/ping", "/health", "/version", "/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json", "/auth/token"}
    assert open_to_all <= declared_public
    assert {"/livez", "/readyz", "/docs", "/openapi.json", "/auth/token"} <= open_to_all


async def test_a_route_that_declares_nothing_is_denied_to_everybody(running: Bench) -> None:
    async def found(_request: Any) -> Any:
        raise AssertionError("it was reached")

    running.app.api.router.routes.append(Route("/forgotten", found))
    running.app.api.add_api_route("/forgotten-too", lambda: "reached")
    for path in ("/forgotten", "/forgotten-too"):
        answer = await running.client(*Role).get(path)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:evergreen:problem:forbidden")


async def test_a_revoked_token_a_disabled_account_and_a_dropped_key_count_no_more(running: Bench) -> None:
    door, follower = running.door, running.door.access.follower
    minted, other = door.mint.mint("ann", [Role.VIEWER], 10), door.token(Role.VIEWER, subject="bob")
    clients = [running.client(token=token) for token in (minted.token, other)]
    assert [(await client.get("/models")).status_code for client in clients] == [200, 200]
    door.manage.revoke_token(minted.token_id, wall_now(), "test")
    await follower.look()
    assert [(await client.get("/models")).status_code for client in clients] == [401, 200]
    door.manage.revoke_subject("bob", wall_now(), "test")
    await follower.look()
    assert [(await client.get("/models")).status_code for client in clients] == [401, 401]
    assert "revoked" in (await clients[0].get("/models")).json()["detail"]
    third = running.client(subject="carol")
    assert (await third.get("/models")).status_code == 200
    rotate(key_file(running.settings))
    await follower.look()
    assert (await third.get("/models")).status_code == 200  # the key before still counts
    rotate(key_file(running.settings), drop_old=True)
    await follower.look()
    assert (await third.get("/models")).status_code == 401
    assert (await running.client(subject="dave").get("/models")).status_code == 200


async def test_postgres_away_keeps_the_last_list(running: Bench) -> None:
    door = running.door
    minted = door.mint.mint("ann", [Role.VIEWER], 10)
    door.manage.revoke_token(minted.token_id, wall_now(), "test")
    await door.access.follower.look()
    door.away = True
    await door.access.follower.look()
    assert (await running.client(token=minted.token).get("/models")).status_code == 401
    assert minted.token_id in door.kept.tokens  # for a worker that starts now


async def test_a_known_token_ends_with_its_expiry(running: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(wall_now().timestamp())
    client = running.client(token=signed(running.door.access.keys.ring, claims(iat=now, exp=now + 60)))
    assert (await client.get("/models")).status_code == 200
    start = time.monotonic()
    monkeypatch.setattr("serving.auth.authenticator.time.monotonic", lambda: start + 61)
    monkeypatch.setattr(running.door.access.gate.authenticator, "_check", _expired)
    assert (await client.get("/models")).status_code == 401


def _expired(_token: str) -> Principal:
    raise BadToken("it has expired")


async def test_metrics_are_for_services_and_for_this_machine_itself(running: Bench) -> None:
    assert (await running.client(token="").get("/metrics")).status_code == 200
    assert (await running.client(token="", peer="::1").get("/metrics")).status_code == 200
    for header in ("x-forwarded-for", "forwarded", "x-real-ip"):  # a proxy on this machine speaks for somebody else
        assert (await running.client(token="").get("/metrics", headers={header: "127.0.0.1"})).status_code == 401
    away = running.client(token="", peer="203.0.113.9")
    assert (await away.get("/metrics", headers={"x-forwarded-for": "127.0.0.1"})).status_code == 401
    assert (await running.client(Role.SERVICE, peer="203.0.113.9").get("/metrics")).status_code == 200
    assert (await running.client(Role.OPERATOR, peer="203.0.113.9").get("/metrics")).status_code == 403


async def test_a_limit_is_the_tokens_subjects_and_says_itself(tmp_path: Path) -> None:
    bench = await started(tmp_path, AuthSettings(limits=LimitSettings(viewer=3)))
    ann = bench.client(Role.VIEWER, subject="ann")
    answers = [await ann.get("/models") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"viewer";q=3;w=60'
    assert re.fullmatch(r'"viewer";r=2;t=\d+', answers[0].headers["ratelimit"])
    assert 1 <= int(answers[3].headers["retry-after"]) <= 62
    assert answers[3].json()["type"] == "urn:evergreen:problem:too-many-requests"
    again = bench.client(Role.VIEWER, subject="ann")  # another token, another address: the same person
    assert (await again.get("/models", headers={"x-forwarded-for": "198.51.100.7"})).status_code == 429
    assert (await bench.client(Role.VIEWER, subject="bob").get("/models")).status_code == 200
    assert [(await bench.client(Role.VIEWER, subject="ann").get("/livez")).status_code for _ in range(9)] == [200] * 9
    await bench.serving.stop()


async def test_a_batch_costs_its_items(running: Bench) -> None:
    gate = running.door.access.gate
    scope: dict[str, Any] = {"type": "http", "client": ("203.0.113.9", 1), "path": "/x", "headers": []}
    header = {"authorization": f"Bearer {running.door.token(Role.USER, subject='u1')}"}
    scope["headers"] = [(b"authorization", header["authorization"].encode())]
    principal, _ = await gate.admit(scope, header, Need.PREDICT)
    await gate.charge(principal, 255)
    await gate.charge(principal, 255)
    with pytest.raises(Exception, match="used up"):
        await gate.charge(principal, 255)
    with pytest.raises(Exception, match="ask for fewer"):
        await gate.charge(principal, 700)


@pytest.mark.parametrize("trusted", [(), ("10.0.0.0/8",)], ids=["nobody-is-trusted", "proxies-are"])
async def test_an_address_is_not_changed_by_what_a_caller_writes(tmp_path: Path, trusted: Any) -> None:
    bench = await started(tmp_path, AuthSettings(limits=LimitSettings(anonymous=5), trusted_proxies=trusted))
    caller = bench.client(token="", peer="203.0.113.9")
    forged = ["1.1.1.1", "1.1.1.2, 10.0.0.1", "::1", "127.0.0.1", "nonsense", "", "a" * 500, "10.0.0.9"]
    statuses = [(await caller.get("/models", headers={"x-forwarded-for": hop})).status_code for hop in forged]
    assert statuses == [401] * 5 + [429] * 3
    await bench.serving.stop()


async def test_behind_a_proxy_we_know_the_nearest_stranger_counts(tmp_path: Path) -> None:
    bench = await started(tmp_path, AuthSettings(limits=LimitSettings(anonymous=2), trusted_proxies=("10.0.0.0/8",)))
    proxy = bench.client(token="", peer="10.0.0.1")

    async def asked(hops: str) -> int:
        return (await proxy.get("/models", headers={"x-forwarded-for": hops})).status_code

    assert [await asked(f"{made_up}, 203.0.113.9, 10.0.0.7") for made_up in ("1.1.1.1", "1.1.1.2", "10.0.0.3")] == [401, 401, 429]
    assert await asked("203.0.113.9, 198.51.100.7") == 401
    assert [await asked(f"2001:db8:1:1::{at}") for at in range(3)] == [401, 401, 429]  # one caller has a whole /64
    assert await asked("2001:db8:1:2::1") == 401
    await bench.serving.stop()


SECRET = "of-the-dashboard-and-of-serving-alone"


@pytest.mark.parametrize("known", [SECRET, ""], ids=["a-secret-is-set", "none-is"])
@pytest.mark.parametrize("shown", ["", SECRET[:-1], SECRET + " ", SECRET.upper(), "\u00e9" * 40])
async def test_who_does_not_know_the_dashboards_secret_is_not_believed(tmp_path: Path, known: str, shown: str) -> None:
    bench = await started(tmp_path, AuthSettings(limits=LimitSettings(anonymous=2), dashboard_secret=SecretStr(known)))
    for peer in ("203.0.113.9", "127.0.0.1"):
        caller, said = bench.client(token="", peer=peer), shown.encode("latin-1")
        asked = [await caller.get("/models", headers={b"x-forwarded-for": f"1.1.1.{at}".encode(), b"x-evergreen-dashboard": said}) for at in range(3)]
        assert [answer.status_code for answer in asked] == [401, 401, 429]
    await bench.serving.stop()


async def test_what_the_dashboard_says_of_its_visitors_is_believed(tmp_path: Path) -> None:
    auth = AuthSettings(limits=LimitSettings(anonymous=2), dashboard_secret=SecretStr(SECRET), trusted_proxies=("10.0.0.0/8",))
    bench = await started(tmp_path, auth)
    dashboard = bench.client(token="", peer="127.0.0.1")

    async def asked(hops: str) -> int:
        return (await dashboard.get("/models", headers={"x-forwarded-for": hops, "x-evergreen-dashboard": SECRET})).status_code

    assert [await asked("203.0.113.9") for _ in range(3)] == [401, 401, 429]
    assert await asked("1.1.1.1, 203.0.113.9") == 429  # what a visitor wrote himself stands before where he came from
    assert await asked("198.51.100.7, 10.0.0.7") == 401  # a proxy we know stands before the dashboard
    assert (await dashboard.get("/metrics", headers={"x-forwarded-for": "127.0.0.1", "x-evergreen-dashboard": SECRET})).status_code == 401
    assert [await asked("nonsense") for _ in range(2)] == [401, 429]  # the dashboard's own address
    await bench.serving.stop()


@pytest.mark.parametrize("secret", ["short", "x" * 31, "é" * 40, "x" * 40 + "\n"])
def test_a_secret_that_may_be_guessed_or_is_no_header_is_refused(secret: str) -> None:
    with pytest.raises(ValidationError, match="openssl rand"):
        AuthSettings(dashboard_secret=SecretStr(secret))


async def test_a_token_that_counts_is_not_held_up_by_others_of_its_address(tmp_path: Path) -> None:
    bench = await started(tmp_path, AuthSettings(limits=LimitSettings(anonymous=2)))
    stranger = bench.client(token="a.b.c", peer="203.0.113.9")
    assert [(await stranger.get("/models")).status_code for _ in range(3)] == [401, 401, 429]
    assert (await bench.client(peer="203.0.113.9").get("/models")).status_code == 200
    await bench.serving.stop()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"[" * 33 + b"]" * 33, 400, id="33-arrays"),
        pytest.param(b'{"a":' * 33 + b"1" + b"}" * 33, 400, id="33-objects"),
        pytest.param(b'[{"a":' * 17 + b"1" + b"}]" * 17, 400, id="34-of-both"),
        pytest.param(b"[" * 100_000, 400, id="never-closed"),
        pytest.param(('["\u2200",' + "[" * 40 + "]" * 40 + "]").encode("utf-16"), 400, id="in-utf-16-behind-a-sign-that-holds-a-quotes-byte"),
        pytest.param(b'{"video_id": "a", "features": {"title": "' + b"[{" * 500 + b'"}}', 200, id="brackets-in-a-string"),
        pytest.param(b'{"video_id": "a", "features": {"title": "a\\"' + b"[" * 100 + b'"}}', 200, id="after-an-escaped-quote"),
        pytest.param(b'{"video_id": "a\\\\", "features": ' + b"[" * 40 + b"]" * 40 + b"}", 400, id="after-an-escaped-backslash"),
        pytest.param(json.dumps({"video_id": "a", "features": {}, "x": [[]] * 50}).encode(), 422, id="wide-not-deep"),
    ],
)
async def test_a_body_may_be_32_deep(client: httpx.AsyncClient, body: bytes, status: int) -> None:
    answer = await client.post("/predict/video", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert status != 400 or answer.json()["type"] == "urn:evergreen:problem:body-too-deep"


async def test_a_hundred_headers_are_enough(running: Bench) -> None:
    many = [(b"x-%d" % at, b"1") for at in range(120)] + [(b"x-1", b"2")]
    answer = await running.client().get("/models", headers=many)
    assert (answer.status_code, answer.json()["type"]) == (431, "urn:evergreen:problem:headers-too-large")


async def test_no_other_page_may_call_unless_it_is_listed(client: httpx.AsyncClient, tmp_path: Path) -> None:
    asks = {"origin": "https://page.example", "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    assert (await client.options("/predict/video", headers=asks)).status_code == 405
    assert "access-control-allow-origin" not in (await client.get("/livez", headers=asks)).headers
    bench = await started(tmp_path / "two", AuthSettings(cors_origins=("https://page.example",)))
    allowed = await bench.client(token="").options("/predict/video", headers=asks)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (204, "https://page.example")
    assert "authorization" in allowed.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in allowed.headers
    said = await bench.client().get("/models", headers={"origin": "https://page.example"})
    assert (said.status_code, said.headers["access-control-allow-origin"], said.headers["vary"]) == (200, "https://page.example", "Origin")
    for origin in ("https://page.example.evil.example", "http://page.example", "null", "https://PAGE.example"):
        other = await bench.client().get("/models", headers={"origin": origin})
        assert "access-control-allow-origin" not in other.headers
        assert (await bench.client(token="").options("/predict/video", headers={**asks, "origin": origin})).status_code == 405
    await bench.serving.stop()


@pytest.mark.parametrize("origin", ["*", "https://a.example/", "ftp://a.example", "https://*.example", "a.example", "https://A.example", "null"])
def test_an_origin_that_is_none_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        AuthSettings(cors_origins=(origin,))
