"""`POST /models/{model}/candidates` on twins."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from evergreen.contracts.actions import ActionKind
from evergreen.core.access import Role
from tests.support.serving_bench import SPEC, Bench

pytestmark = pytest.mark.anyio
URI = "models:/elsewhere/3"
BODY = {"uri": URI, "trained_to": "2025-01-01", "reason": "trained on more data"}
PATH = f"/models/{SPEC.name}/candidates"


async def ask(client: httpx.AsyncClient, body: Any = None, path: str = PATH, **headers: str) -> httpx.Response:
    return await client.post(path, json=BODY if body is None else body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def operators(bench: Bench, subject: str = "kim") -> dict[str, str]:
    return {"authorization": f"Bearer {bench.door.token(Role.OPERATOR, subject=subject)}"}


async def test_it_is_recorded_with_who_asked_and_why(client: httpx.AsyncClient, running: Bench) -> None:
    answer = await ask(client, **operators(running))
    assert answer.status_code == 202, answer.text
    action_id = answer.json()["action_id"]
    assert answer.headers["location"] == f"/actions/{action_id}/explain"
    with running.submitted.store.transaction() as tx:
        (row,) = tx.actions.due(running.clock.now(), ActionKind.RETRAIN)
    action = row.action
    assert (str(action.id), action.model, action.target, action.reason) == (action_id, SPEC.name, f"{SPEC.name}/submitted", "submitted")
    assert action.params == {"candidate": URI, "trained_to": "2025-01-01", "reason": "trained on more data", "requested_by": "api:kim"}


async def test_the_same_key_is_the_same_submission_and_never_another(client: httpx.AsyncClient, running: Bench) -> None:
    who = operators(running)
    first, again = await ask(client, idempotency_key="k", **who), await ask(client, idempotency_key="k", **who)
    assert first.json() == again.json()
    other = await ask(client, {**BODY, "reason": "another"}, idempotency_key="k", **who)
    assert (other.status_code, other.json()["type"]) == (422, "urn:evergreen:problem:idempotency-key-reused")
    assert (await ask(client, **who)).json() != (await ask(client, **who)).json()


@pytest.mark.parametrize("role", [Role.USER, Role.VIEWER, Role.ANALYST, Role.SERVICE])
async def test_only_operators_may(client: httpx.AsyncClient, running: Bench, role: Role) -> None:
    answer = await ask(client, authorization=f"Bearer {running.door.token(role)}")
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "uri",
    [
        "http://evil.example/model",
        "https://evil.example/model",
        "file:///etc/passwd",
        "s3://bucket/model",
        "mlflow-artifacts:/1/models",
        "dbfs:/x",
        "/etc/passwd",
        "models:/../x/1",
        "models:/a/0",
        "models:/a/1/../../b",
        "runs:/0f6b7e1f6d9f4a7ab1c2d3e4f5061728/../../x",
        "runs:/0f6b7e1f6d9f4a7ab1c2d3e4f5061728/a/..",
        "runs:/short/model",
        "models:/a@b@c",
        "models:/a/1\n",
        "models:/m-0f6b7e1f6d9f4a7ab1c2d3e4f5061728?x=1",
        "models:/ａ/1",
        "",
    ],
)
async def test_a_model_comes_from_our_mlflow_and_from_nowhere_else(client: httpx.AsyncClient, running: Bench, uri: str) -> None:
    answer = await ask(client, {**BODY, "uri": uri}, **operators(running))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:evergreen:problem:invalid-request")
    with running.submitted.store.transaction() as tx:
        assert tx.actions.due(running.clock.now(), ActionKind.RETRAIN) == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param({"trained_to": "2999-01-01"}, 422, id="future"),
        pytest.param({"trained_to": 0}, 422, id="no-day"),
        pytest.param({"reason": ""}, 422, id="no-reason"),
        pytest.param({"reason": "x" * 501}, 422, id="long-reason"),
        pytest.param({"uri": "models:/a/1" * 60}, 422, id="long-uri"),
        pytest.param({"more": 1}, 422, id="unknown-field"),
    ],
)
async def test_what_cannot_be_used_is_refused_with_words(client: httpx.AsyncClient, running: Bench, change: dict[str, Any], status: int) -> None:
    answer = await ask(client, {**BODY, **change}, **operators(running))
    assert answer.status_code == status
    assert answer.json()["detail"]


async def test_of_a_model_nobody_knows_it_is_404(client: httpx.AsyncClient, running: Bench) -> None:
    assert (await ask(client, path="/models/nobody/candidates", **operators(running))).status_code == 404
