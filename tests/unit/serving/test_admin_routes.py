"""`/dead-letters`, `/accounts`, `/tokens/revoke`, `/policy/pause` of a worker of twins: operators alone, and what they did is recorded."""

from __future__ import annotations

from typing import get_args

import httpx
import pytest

from evergreen.contracts.api_admin import RoleName
from evergreen.core.access import Role
from tests.support.serving_bench import Bench

pytestmark = pytest.mark.anyio
WHY: dict[str, object] = {"why": "the loader is mended"}
READS = ("/dead-letters", "/dead-letters/x", "/accounts")
ACTS: dict[str, dict[str, object]] = {
    "/dead-letters/redrive": WHY,
    "/accounts": {"name": "bob", "roles": ["viewer"], "reason": "new here"},
    "/accounts/secret": {"name": "bob", "reason": "forgotten"},
    "/accounts/change": {"name": "bob", "change": "disable", "reason": "gone"},
    "/tokens/revoke": {"id": "t1", "reason": "leaked"},
    "/policy/pause": {"paused": True, "reason": "the source is wrong"},
}


@pytest.fixture
async def ann(running: Bench) -> httpx.AsyncClient:
    return running.client(Role.OPERATOR, subject="ann")


@pytest.mark.parametrize("role", [Role.ANALYST, Role.VIEWER, Role.SERVICE, Role.USER])
async def test_whoever_is_no_operator_does_none_of_it(running: Bench, role: Role) -> None:
    async with running.client(role) as other:
        assert {(await other.get(path)).status_code for path in READS} == {403}
        assert {(await other.post(path, json=body)).status_code for path, body in ACTS.items()} == {403}
        assert (await other.get("/policy/pause")).status_code == (403 if role is Role.USER else 200)


def test_the_contract_names_the_roles_there_are() -> None:
    assert set(get_args(RoleName)) == {role.value for role in Role}


async def test_every_act_asks_for_a_reason(ann: httpx.AsyncClient) -> None:
    for path, body in ACTS.items():
        without = {name: value for name, value in body.items() if name not in {"why", "reason"}}
        assert (await ann.post(path, json=without)).status_code == 422, path


async def test_letters_are_listed_newest_first_without_what_they_say_and_one_is_shown_whole(running: Bench, ann: httpx.AsyncClient) -> None:
    topic = running.admin.topic
    first, second = topic.put(), topic.put("schema_violation", b"\xff" + b"x" * 70_000)
    listed = (await ann.get("/dead-letters")).json()["letters"]
    assert {one["id"] for one in listed} == {first, second}
    assert [one["id"] for one in (await ann.get("/dead-letters", params={"reason": "bad_json"})).json()["letters"]] == [first]
    whole = (await ann.get(f"/dead-letters/{second}")).json()
    assert (whole["size"], whole["cut"], whole["value"][:5], len(whole["value"])) == (70_001, True, "\\xffx", 65_539)
    assert whole["detail"] == "<b>no</b> JSON"
    assert (await ann.get("/dead-letters/nothing")).status_code == 404


async def test_one_is_sent_back_repaired_and_it_is_recorded_by_whom_and_why(running: Bench, ann: httpx.AsyncClient) -> None:
    topic = running.admin.topic
    letter = topic.put()
    answer = await ann.post("/dead-letters/redrive", json={**WHY, "ids": [letter], "changes": {"data.rows": 3}})
    assert answer.json() == {"sent": [{"id": letter, "topic": "data.ingested", "changed": True}], "stayed": [], "failed": None}
    assert topic.sent[0].value == b'{"data": {"rows": 3}}'
    assert topic.marked == [(letter, "api:ann", "the loader is mended")]
    assert (await ann.get("/dead-letters", params={"waiting": True})).json()["letters"] == []


async def test_all_that_wait_are_sent_back_and_strangers_letters_stay(running: Bench, ann: httpx.AsyncClient) -> None:
    topic = running.admin.topic
    letters = {topic.put() for _ in range(3)}
    other, strange = topic.put("schema_violation"), topic.put_strangers()
    answer = (await ann.post("/dead-letters/redrive", json={**WHY, "reason": "bad_json"})).json()
    assert ({one["id"] for one in answer["sent"]}, answer["stayed"]) == (letters, [])
    answer = (await ann.post("/dead-letters/redrive", json=WHY)).json()
    assert ([one["id"] for one in answer["sent"]], answer["stayed"]) == ([other], [strange])


async def test_what_the_broker_does_not_take_is_said_and_not_marked(running: Bench, ann: httpx.AsyncClient) -> None:
    topic = running.admin.topic
    topic.put()
    topic.refuses = True
    answer = (await ann.post("/dead-letters/redrive", json=WHY)).json()
    assert (answer["sent"], answer["failed"]) == ([], "1 of 1 were not acknowledged: the broker is away")
    assert topic.done == {}


@pytest.mark.parametrize("wrong", [{"ids": ["a", "b"], "changes": {"x": 1}}, {"changes": {"x": 1}}, {"why": " "}])
async def test_a_redrive_that_would_repair_many_or_says_no_reason_is_refused(ann: httpx.AsyncClient, wrong: dict[str, object]) -> None:
    assert (await ann.post("/dead-letters/redrive", json=WHY | wrong)).status_code == 422


async def test_an_account_is_made_signs_in_and_loses_its_tokens_with_its_password(running: Bench, ann: httpx.AsyncClient) -> None:
    made = await ann.post("/accounts", json=ACTS["/accounts"])
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")

    async def sign_in(secret: str) -> httpx.Response:
        return await ann.post("/auth/token", data={"grant_type": "password", "username": "bob", "password": secret})

    old = made.json()["secret"]
    assert (await sign_in(old)).status_code == 200
    new = (await ann.post("/accounts/secret", json=ACTS["/accounts/secret"])).json()["secret"]
    assert ((await sign_in(old)).status_code, (await sign_in(new)).status_code) == (401, 200)
    assert (await ann.post("/accounts/change", json=ACTS["/accounts/change"])).json() == {"done": True}
    assert (await sign_in(new)).status_code == 401
    said = (await ann.get("/accounts")).json()
    assert [(one["what"], one["subject"], one["who"], one["reason"]) for one in said["changes"]] == [
        ("disabled", "bob", "api:ann", "gone"),
        ("secret_changed", "bob", "api:ann", "forgotten"),
        ("added", "bob", "api:ann", "new here"),
    ]
    assert "secret" not in str(said["accounts"])


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", '"\\ud800"', '{"\\udfff": 1}'])
async def test_a_repair_that_no_json_can_say_is_refused(running: Bench, ann: httpx.AsyncClient, value: str) -> None:
    letter = running.admin.topic.put()
    body = f'{{"why": "x", "ids": ["{letter}"], "changes": {{"data.rows": {value}}}}}'
    for key in ({}, {"idempotency-key": "k"}):
        answer = await ann.post("/dead-letters/redrive", content=body, headers={"content-type": "application/json", **key})
        assert (answer.status_code, "half a character" in answer.text) == (422, True)
    assert running.admin.topic.sent == []


async def test_letters_sent_back_again_with_the_same_key_go_once(running: Bench, ann: httpx.AsyncClient) -> None:
    topic = running.admin.topic
    letter, key = topic.put(), {"idempotency-key": "k"}
    body = {**WHY, "ids": [letter]}
    first, again = [await ann.post("/dead-letters/redrive", json=body, headers=key) for _ in range(2)]
    assert (first.status_code, again.json(), len(topic.sent)) == (200, first.json(), 1)
    other = await ann.post("/dead-letters/redrive", json={**body, "why": "another"}, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "urn:evergreen:problem:idempotency-key-reused")
    assert (await ann.post("/dead-letters/redrive", json=body, headers={"idempotency-key": "l"})).status_code == 200
    assert len(topic.sent) == 2


async def test_a_secret_is_given_out_once_for_a_key(running: Bench, ann: httpx.AsyncClient) -> None:
    for path, status in (("/accounts", 201), ("/accounts/secret", 200)):
        body, key = ACTS[path], {"idempotency-key": path}
        made = await ann.post(path, json=body, headers=key)
        again = await ann.post(path, json=body, headers=key)
        assert (made.status_code, again.status_code, again.json()["type"]) == (status, 409, "urn:evergreen:problem:secret-given-out")
        assert made.json()["secret"] not in again.text + str(running.admin.store.tables.keyed_requests)
        other = await ann.post(path, json={**body, "reason": "another"}, headers=key)
        assert (other.status_code, other.json()["type"]) == (422, "urn:evergreen:problem:idempotency-key-reused")
    changes = (await ann.get("/accounts")).json()["changes"]
    assert [one["what"] for one in changes] == ["secret_changed", "added"]


async def test_an_operator_does_not_lock_himself_out(running: Bench, ann: httpx.AsyncClient) -> None:
    running.door.manage.add("ann", "person", [Role.OPERATOR])
    answer = await ann.post("/accounts/change", json={"name": "ann", "change": "disable", "reason": "oops"})
    assert (answer.status_code, "your own account" in answer.json()["detail"]) == (422, True)
    assert (await ann.post("/accounts/change", json=ACTS["/accounts/change"])).status_code == 404


async def test_the_switch_is_turned_once_with_a_name_and_a_reason(ann: httpx.AsyncClient) -> None:
    assert (await ann.get("/policy/pause")).json() == {"paused": False, "who": None, "reason": None, "time": None}
    first = (await ann.post("/policy/pause", json=ACTS["/policy/pause"])).json()
    assert (first["paused"], first["who"], first["reason"]) == (True, "api:ann", "the source is wrong")
    assert (await ann.post("/policy/pause", json={"paused": True, "reason": "again"})).json() == first
    assert (await ann.post("/policy/pause", json={"paused": False, "reason": "it is right again"})).json()["paused"] is False
