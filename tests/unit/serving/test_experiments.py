"""Experiments in a worker: who is shown what, what is told of it, and the routes; on twins."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest

from evergreen.contracts.api_experiments import Knobs
from evergreen.contracts.business import RecommendationsShown
from evergreen.contracts.topics import payload_of
from evergreen.core.access import Role
from evergreen.core.experiment import KNOBS, Experiment, Variant
from serving.experiments import Assigned, Assigner
from serving.exposures import ExposureLog, ShownList
from tests.support.serving_bench import NOW, SPEC, Bench, Plain
from tests.support.trying import people

pytestmark = pytest.mark.anyio
MODEL = SPEC.name
USERS = [f"user-{number}" for number in range(2_000)]
DIVERSE = Experiment("diverse", MODEL, (Variant("control"), Variant("b", params={"diversity": 0.6})), 0.5)
NEWER = Experiment("newer", MODEL, (Variant("control", version=1), Variant("b", version=2)), 1.0)
BODY = {"name": "diverse", "model": MODEL, "share": 0.5, "reason": "do people like it?", "challengers": [{"name": "b", "params": {"diversity": 0.6}}]}


def shown(assigner: Assigner) -> Counter[str]:
    found = [assigner.variant_of(user, MODEL) for user in USERS]
    return Counter("nothing" if one is None else f"{one.experiment}/{one.variant} {one.version} {dict(one.params)}" for one in found)


async def test_a_worker_learns_of_a_start_and_an_end_at_once(running: Bench) -> None:
    assigner = running.serving.listener.assigner
    assert assigner.variant_of("anna", MODEL) is None
    running.fleet.begin(DIVERSE)
    await running.until(lambda: any(assigner.variant_of(user, MODEL) for user in USERS))
    found = shown(assigner)
    assert set(found) == {"nothing", "diverse/control None {}", "diverse/b None {'diversity': 0.6}"}
    assert abs(found["nothing"] - 1_000) < 100
    assert assigner.variant_of("anna", "another_model") is None
    running.fleet.begin()
    await running.until(lambda: shown(assigner) == {"nothing": 2_000})


async def test_it_answers_as_the_plan_says_in_every_worker(running: Bench) -> None:
    running.fleet.begin(DIVERSE)
    assigner = running.serving.listener.assigner
    await running.until(lambda: any(assigner.variant_of(user, MODEL) for user in USERS))
    for user in USERS[:200]:
        planned, found = DIVERSE.variant_of(user), assigner.variant_of(user, MODEL)
        assert (planned.name if planned else None) == (found.variant if found else None)


async def test_nobody_takes_part_until_every_version_is_loaded(running: Bench) -> None:
    """Or the first seconds' users would be missing from one group."""
    assigner = running.serving.listener.assigner
    running.versions[2] = Plain(2)
    running.hold.clear()
    running.fleet.begin(NEWER)
    before = running.serving.listener._looks
    await running.until(lambda: running.serving.listener._looks > before + 1)
    assert shown(assigner) == {"nothing": 2_000}
    running.hold.set()
    await running.until(lambda: assigner.variant_of("anna", MODEL) is not None)
    assert {one.version for user in USERS[:50] if (one := assigner.variant_of(user, MODEL))} == {1, 2}
    assert running.slots.held(MODEL, 2) is not None
    running.fleet.begin()
    await running.until(lambda: running.slots.held(MODEL, 2) is None)


async def test_nobody_takes_part_before_a_version_serves(bench: Bench) -> None:
    """There would be one list for all, whatever the variant says."""
    assigner = Assigner(bench.slots)
    assigner.follow([DIVERSE])
    assert shown(assigner) == {"nothing": 2_000}


async def test_a_version_that_cannot_be_loaded_costs_nobody_an_answer(running: Bench, client: httpx.AsyncClient) -> None:
    running.fleet.begin(Experiment("newer", MODEL, (Variant("control", version=1), Variant("b", version=9)), 1.0))
    assigner = running.serving.listener.assigner
    before = running.serving.listener._looks
    await running.until(lambda: running.serving.listener._looks > before + 1)
    assert shown(assigner) == {"nothing": 2_000}
    assert running.serving.listener.ready
    assert (await client.get("/readyz")).status_code == 200


@pytest.mark.parametrize("assigned", [None, Assigned("diverse", "b", None, {"diversity": 0.6})], ids=["outside", "in"])
async def test_a_list_is_told_with_its_variant_under_one_id(bench: Bench, assigned: Assigned | None) -> None:
    log = ExposureLog(bench.publisher)
    one = ShownList("list-1", "anna", MODEL, f"{MODEL}@1", ["318", "50"], NOW, assigned, traceparent="00-a-b-01")
    log.shown(one)
    log.shown(one)
    first, again = bench.publisher.of_type("recommendations_shown")
    assert (first.id, first.time, first.subject, first.extensions["correlationid"]) == (again.id, NOW, "anna", "list-1")
    payload = payload_of(first)
    assert isinstance(payload, RecommendationsShown)
    assert (payload.experiment, payload.variant) == (("diverse", "b") if assigned else (None, None))
    assert (payload.list_id, payload.items, payload.model_version) == ("list-1", ("318", "50"), f"{MODEL}@1")


async def test_the_popular_list_names_no_version(bench: Bench) -> None:
    ExposureLog(bench.publisher).shown(ShownList("list-1", "안나", MODEL, None, [], NOW))
    (event,) = bench.publisher.of_type("recommendations_shown")
    assert (event.subject, event.data["model_version"], event.data["items"]) == ("안나", None, [])


async def ask(client: httpx.AsyncClient, body: Any, path: str = "/experiments", who: dict[str, str] | None = None) -> httpx.Response:
    return await client.post(path, json=body, headers=who or {})


def token(bench: Bench, role: Role, subject: str = "kim") -> dict[str, str]:
    return {"authorization": f"Bearer {bench.door.token(role, subject=subject)}"}


async def test_an_operator_starts_sees_and_stops_one(client: httpx.AsyncClient, running: Bench) -> None:
    answer = await ask(client, BODY, who=token(running, Role.OPERATOR))
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == "/experiments/diverse"
    said = answer.json()
    assert (said["status"], said["started_by"], said["says"]) == ("running", "api:kim", "it was not looked at yet")
    assert [(one["name"], one["planned"], one["params"], one["verdict"]) for one in said["variants"]] == [
        ("control", 0.5, {}, None),
        ("b", 0.5, {"diversity": 0.6}, None),
    ]
    assert (await client.get("/experiments/diverse", headers=token(running, Role.VIEWER))).json() == said
    assert (await client.get("/experiments", params={"model": MODEL}, headers=token(running, Role.ANALYST))).json() == {"experiments": [said]}
    assert (await client.get("/experiments", params={"model": "another"})).json() == {"experiments": []}
    stopped = await ask(client, {"reason": "enough"}, "/experiments/diverse/stop", token(running, Role.OPERATOR, "lee"))
    assert (stopped.status_code, stopped.json()["status"], stopped.json()["ended_by"]) == (200, "stopped", "api:lee")


async def test_what_was_found_is_shown_with_its_intervals(client: httpx.AsyncClient, running: Bench) -> None:
    from evergreen.core.experiment_verdict import judge

    await ask(client, BODY)
    with running.tried.store.transaction() as tx:
        tx.experiments.looked("diverse", NOW, judge(("control", "b"), (0.5, 0.5), [people(5_000, 500), people(5_000, 700)]))
    said = (await client.get("/experiments/diverse")).json()
    assert said["groups_as_planned"] is True
    b = said["variants"][1]
    assert (b["verdict"], b["counts"]["clickers"]) == ("better", 700)
    assert (b["relative"]["point"], b["ctr"]["point"]) == (pytest.approx(0.4), pytest.approx(0.14))
    assert 0 < b["relative"]["low"] < 0.4 < b["relative"]["high"]
    assert 0.1 < b["ctr"]["low"] < 0.14 < b["ctr"]["high"]
    assert said["variants"][0]["relative"] is None


@pytest.mark.parametrize("role", [Role.USER, Role.VIEWER, Role.ANALYST, Role.SERVICE])
async def test_only_operators_may_change_anything(client: httpx.AsyncClient, running: Bench, role: Role) -> None:
    assert (await ask(client, BODY, who=token(running, role))).status_code == 403
    assert (await ask(client, {"reason": "x"}, "/experiments/diverse/stop", token(running, role))).status_code == 403


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        pytest.param({"name": "Diverse"}, 422, "name", id="name"),
        pytest.param({"share": 0}, 422, "share", id="no-share"),
        pytest.param({"challengers": []}, 422, "challengers", id="one-variant"),
        pytest.param({"challengers": [{"name": "control"}]}, 422, "two variants are called 'control'", id="two-controls"),
        pytest.param({"challengers": [{"name": "b", "params": {"diversty": 1}}]}, 422, "diversty", id="mistyped-knob"),
        pytest.param({"challengers": [{"name": "b", "version": 7}]}, 422, f"no version of {MODEL} serves", id="version"),
        pytest.param({"model": "nobody"}, 404, "no model", id="no-model"),
        pytest.param({"more": 1}, 422, "more", id="unknown-field"),
    ],
)
async def test_what_cannot_be_tried_is_refused_in_words(client: httpx.AsyncClient, change: dict[str, Any], status: int, says: str) -> None:
    answer = await ask(client, {**BODY, **change})
    assert answer.status_code == status, answer.text
    assert says in answer.json()["detail"]


async def test_a_second_one_waits_for_the_first(client: httpx.AsyncClient) -> None:
    await ask(client, BODY)
    answer = await ask(client, {**BODY, "name": "another"})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:evergreen:problem:invalid-request")
    assert "diverse runs for" in answer.json()["detail"]


async def test_of_one_nobody_knows_it_is_404(client: httpx.AsyncClient) -> None:
    assert (await client.get("/experiments/nobody")).status_code == 404
    assert (await ask(client, {"reason": "x"}, "/experiments/nobody/stop")).status_code == 404


def test_the_document_knows_every_knob_with_its_bounds() -> None:
    fields = Knobs.model_json_schema()["properties"]
    assert {name: (one["anyOf"][0]["minimum"], one["anyOf"][0]["maximum"]) for name, one in fields.items()} == dict(KNOBS)


async def test_one_asked_for_again_with_the_same_key_is_the_same(running: Bench, client: httpx.AsyncClient) -> None:
    who = token(running, Role.OPERATOR, "kim") | {"idempotency-key": "k"}
    first, again = await ask(client, BODY, who=who), await ask(client, BODY, who=who)
    assert (first.status_code, again.status_code, again.json(), again.headers["location"]) == (201, 201, first.json(), "/experiments/diverse")
    other = await ask(client, {**BODY, "name": "another"}, who=who)
    assert (other.status_code, other.json()["type"]) == (422, "urn:evergreen:problem:idempotency-key-reused")
    assert (await ask(client, BODY, who=token(running, Role.OPERATOR, "kim"))).status_code == 422  # without the key it is another
