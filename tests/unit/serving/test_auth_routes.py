"""`/auth/token` and `/auth/ticket`: right and wrong credentials look and take the same but for the token."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from evergreen.adapters.passwords import NOBODYS, Argon2
from evergreen.core.access import Need, Role
from evergreen.core.clock import wall_now
from evergreen.core.errors import InvalidRequest, Unavailable, WrongCredentials
from evergreen.services.issue_token import THREADS, WAITING, CheckCredentials
from evergreen.settings_auth import AuthSettings, LimitSettings
from serving.auth.refusals import Forbidden, Unauthorized
from serving.auth.tickets import admit_by_ticket
from tests.support.door import Door
from tests.support.serving_bench import Bench

pytestmark = pytest.mark.anyio
SECRET = "correct-horse-battery"
WRONG = "urn:evergreen:problem:wrong-credentials"


@pytest.fixture
async def signing(running: Bench) -> AsyncIterator[httpx.AsyncClient]:
    running.door.manage.add("ann", "person", [Role.ANALYST, Role.USER], SECRET)
    running.door.manage.add("shop", "client", [Role.SERVICE], SECRET)
    running.door.manage.add("gone", "person", [Role.OPERATOR], SECRET)
    running.door.manage.disable("gone", wall_now(), "test")
    async with running.client(token="", peer="203.0.113.9") as client:
        yield client


def person(name: str = "ann", password: str = SECRET, **other: str) -> dict[str, str]:
    return {"grant_type": "password", "username": name, "password": password, **other}


async def test_a_person_and_an_application_get_tokens_that_count(running: Bench, signing: httpx.AsyncClient) -> None:
    ann = await signing.post("/auth/token", data=person())
    assert (ann.status_code, ann.json()["token_type"], ann.json()["scope"], ann.headers["cache-control"]) == (200, "bearer", "analyst user", "no-store")
    assert (await running.client(token=ann.json()["access_token"]).get("/models")).status_code == 200
    form = await signing.post("/auth/token", data={"grant_type": "client_credentials", "client_id": "shop", "client_secret": SECRET})
    basic = await signing.post("/auth/token", data={"grant_type": "client_credentials"}, auth=("shop", SECRET))
    assert [answer.json()["scope"] for answer in (form, basic)] == ["service", "service"]
    assert form.json()["expires_in"] == 3600


async def test_a_token_may_hold_less_than_its_account_and_never_more(running: Bench, signing: httpx.AsyncClient) -> None:
    less = await signing.post("/auth/token", data=person(scope="user"))
    assert less.json()["scope"] == "user"
    assert (await running.client(token=less.json()["access_token"]).get("/models")).status_code == 403
    assert (await signing.post("/auth/token", data=person(scope="user operator"))).status_code == 401


async def test_every_wrong_answer_is_the_same(signing: httpx.AsyncClient) -> None:
    tried = [
        person(password="wrong-horse-battery"),
        person("nobody"),
        person("gone"),
        person("shop"),  # an application is no person
        person("ann\n"),
        person(""),
        person(password=""),
        person("'; DROP TABLE accounts; --"),
        {"grant_type": "client_credentials", "client_id": "ann", "client_secret": SECRET},
        {"grant_type": "client_credentials"},
    ]
    answers = [await signing.post("/auth/token", data=data) for data in tried]
    bodies = [{**answer.json(), "request_id": ""} for answer in answers]
    assert all(body == bodies[0] for body in bodies)
    assert (answers[0].status_code, bodies[0]["type"]) == (401, WRONG)
    assert all("access_token" not in answer.text and SECRET not in answer.text for answer in answers)


@pytest.mark.parametrize("header", ["Basic", "Basic !!", "Basic " + base64.b64encode(b"shop").decode(), "Basic " + base64.b64encode(b"\xff:\xff").decode()])
async def test_broken_basic_credentials_are_wrong_ones(signing: httpx.AsyncClient, header: str) -> None:
    answer = await signing.post("/auth/token", data={"grant_type": "client_credentials"}, headers={"authorization": header})
    assert (answer.status_code, answer.json()["type"]) == (401, WRONG)
    assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize("data", [{}, {"grant_type": "implicit"}, person(password="x" * 300), person("x" * 300)])
async def test_what_is_no_request_for_a_token_is_422_and_not_quoted(signing: httpx.AsyncClient, data: dict[str, str]) -> None:
    answer = await signing.post("/auth/token", data=data)
    assert answer.status_code == 422
    assert "xxx" not in answer.text


async def test_attempts_are_limited_by_account_and_by_address(tmp_path: Path) -> None:
    bench = Bench(tmp_path, auth=AuthSettings(limits=LimitSettings(login=3)))
    bench.door.manage.add("ann", "person", [Role.ANALYST], SECRET)
    await bench.serving.start()
    statuses = []
    for at in range(4):  # from everywhere
        async with bench.client(token="", peer=f"203.0.113.{at}") as client:
            statuses.append((await client.post("/auth/token", data=person(password="wrong-horse"))).status_code)
    async with bench.client(token="", peer="198.51.100.1") as client:  # at everybody's
        statuses += [(await client.post("/auth/token", data=person(f"n{at}"), headers={"x-forwarded-for": f"1.1.1.{at}"})).status_code for at in range(4)]
        limited = await client.post("/auth/token", data=person("n9"))
    assert statuses == [401, 401, 401, 429, 401, 401, 401, 429]
    assert limited.headers["retry-after"]
    await bench.serving.stop()


async def test_visitors_of_the_dashboard_have_attempts_of_their_own_and_an_account_has_its(tmp_path: Path) -> None:
    secret = "of-the-dashboard-and-of-serving-alone"
    bench = Bench(tmp_path, auth=AuthSettings(limits=LimitSettings(login=3), dashboard_secret=SecretStr(secret)))
    await bench.serving.start()

    async def attempt(visitor: str, name: str, shown: str = secret) -> int:
        headers = {"x-forwarded-for": f"6.6.6.6, {visitor}", "x-evergreen-dashboard": shown}
        async with bench.client(token="") as dashboard:
            return (await dashboard.post("/auth/token", data=person(name, password="wrong-horse"), headers=headers)).status_code

    assert [await attempt("203.0.113.1", f"n{at}") for at in range(4)] == [401, 401, 401, 429]
    assert [await attempt(f"203.0.113.{at}", "ann") for at in range(2, 6)] == [401, 401, 401, 429]
    assert [await attempt(f"203.0.114.{at}", f"m{at}", shown="guessed") for at in range(4)] == [401, 401, 401, 429]
    await bench.serving.stop()


async def test_an_unknown_name_takes_as_long_as_a_known_one(tmp_path: Path) -> None:
    """The same work is done, whatever is known: counted, since times on a busy machine prove nothing."""
    door, hashed = Door(Bench(tmp_path).settings), list[str]()
    door.manage.add("ann", "person", [Role.ANALYST], SECRET)

    class Counting(Argon2):
        def verify(self, secret: str, secret_hash: str) -> bool:
            hashed.append(secret_hash.rsplit("$", 2)[0])
            return super().verify(secret, secret_hash)

    check = CheckCredentials(door, Counting(), NOBODYS)
    for name, secret in (("ann", "wrong"), ("nobody", "wrong"), ("", ""), ("ann", "x" * 400)):
        with pytest.raises(WrongCredentials):
            await check.run("person", name, secret)
    assert len(hashed) == 4
    assert len(set(hashed)) == 1  # the same figures of argon2
    assert not Argon2().verify("", NOBODYS)


async def test_the_loop_turns_while_hashes_are_made_and_only_so_many_wait(tmp_path: Path) -> None:
    door = Door(Bench(tmp_path).settings)

    class Slow(Argon2):
        def verify(self, secret: str, secret_hash: str) -> bool:
            time.sleep(0.05)
            return False

    check = CheckCredentials(door, Slow(), NOBODYS)
    asking = [asyncio.create_task(check.run("person", "a", "b")) for _ in range(WAITING + 5)]
    begun = time.monotonic()
    for _ in range(20):
        await asyncio.sleep(0)
    assert time.monotonic() - begun < 0.05 * THREADS
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert sorted(type(one).__name__ for one in ended) == ["Unavailable"] * 5 + ["WrongCredentials"] * WAITING


async def test_postgres_away_is_503(running: Bench, signing: httpx.AsyncClient) -> None:
    running.door.away = True
    assert (await signing.post("/auth/token", data=person())).status_code == 503


@pytest.mark.parametrize("secret", ["short", "aaaaaaaaaaaaaaaaaaaa", "ann-ann-ann-1234", "x" * 257])
def test_a_weak_secret_is_refused(tmp_path: Path, secret: str) -> None:
    with pytest.raises(InvalidRequest, match="a secret has"):
        Door(Bench(tmp_path).settings).manage.add("ann", "person", [Role.USER], secret)


async def test_a_ticket_is_worth_one_use_of_whoever_got_it(running: Bench) -> None:
    door = running.door
    async with running.client(Role.USER, subject="u1") as client:
        said = await client.post("/auth/ticket")
    ticket, authenticator = said.json()["ticket"], door.access.gate.authenticator
    assert (said.status_code, said.json()["expires_in"], said.headers["cache-control"]) == (200, 60, "no-store")
    uses = await asyncio.gather(*(admit_by_ticket(door.tickets, authenticator, ticket, Need.OWN) for _ in range(8)), return_exceptions=True)
    [principal] = [one for one in uses if not isinstance(one, BaseException)]
    assert (principal.subject, principal.roles) == ("u1", frozenset({Role.USER}))
    assert all(isinstance(one, Unauthorized) for one in uses if isinstance(one, BaseException))


async def test_a_ticket_falls_with_its_token_and_gives_no_more_than_it(running: Bench) -> None:
    door = running.door
    authenticator = door.access.gate.authenticator
    minted = door.mint.mint("u1", [Role.VIEWER], 10)
    tickets = [(await running.client(token=minted.token).post("/auth/ticket")).json()["ticket"] for _ in range(2)]
    with pytest.raises(Forbidden):
        await admit_by_ticket(door.tickets, authenticator, tickets[0], Need.ACT)
    door.manage.revoke_token(minted.token_id, wall_now(), "test")
    await door.access.follower.look()
    with pytest.raises(Unauthorized, match="revoked"):
        await admit_by_ticket(door.tickets, authenticator, tickets[1], Need.READ)
    for nonsense in ("", "a", "x" * 10_000, "\x00"):
        with pytest.raises(Unauthorized):
            await admit_by_ticket(door.tickets, authenticator, nonsense, Need.READ)


async def test_without_redis_there_are_no_tickets(running: Bench) -> None:
    running.door.tickets.away = True
    answer = await running.client().post("/auth/ticket")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    with pytest.raises(Unavailable):
        await running.door.tickets.redeem("a")
