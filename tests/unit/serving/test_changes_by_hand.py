"""Promoting and rolling back over the API: who may, what is refused and how it is said, and one action for one key; on twins."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from evergreen.contracts.actions import Action
from evergreen.core.access import Role
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.versions import VersionRow
from tests.support.serving_bench import NOW, SPEC, Bench

pytestmark = pytest.mark.anyio
MODEL = SPEC.name
DAYS = (date(2025, 7, 1), date(2025, 7, 20))
WHY = {"reason": "release [urgent]"}


def card(against: int | None, *, approved: bool = True) -> dict[str, Any]:
    numbers = {"relative": -0.1, "relative_low": -0.2, "relative_high": -0.05}
    gates = [{"name": "improvement", "passed": approved, "detail": "better" if approved else "not better", "numbers": numbers}]
    reference = "median" if against is None else f"{MODEL}@{against}"
    errors = {"baseline_errors": [0.1, 0.2, 0.3, 0.4]}
    return {"approved": approved, "gates": gates, "reference": reference, "judged_against": against, "n": 4, **errors}


def version(bench: Bench, number: int, *, against: int | None, approved: bool = True, stable: bool = False, quarantined: str = "") -> None:
    row = VersionRow(MODEL, number, None, f"run-{number}", "models:/x", "manual", *DAYS, 10, NOW, metrics={SPEC.metric: 0.25})
    with bench.own.store.transaction() as tx:
        tx.versions.insert(row)
        tx.versions.judge(MODEL, number, "approved" if approved else "refused", card(against, approved=approved))
        if stable:
            tx.versions.mark_stable(MODEL, number)
        if quarantined:
            tx.versions.quarantine(MODEL, number, quarantined)


def serves(bench: Bench, number: int, previous: int | None = None) -> None:
    with bench.own.store.transaction() as tx:
        champion = tx.champions.get(MODEL)
        epoch = 1 if champion is None else champion.epoch + 1
        row = DeploymentRow(uuid4(), MODEL, number, previous, "promote", "preparing", epoch, None, False, "test")
        tx.deployments.start(row)
        tx.champions.compare_and_set(MODEL, number, seen_epoch=epoch - 1, deployment_id=row.id, since=NOW)
        tx.deployments.flipped(row.id, [], NOW)
        tx.deployments.confirmed(row.id)


@pytest.fixture
def bench(tmp_path) -> Bench:
    made = Bench(tmp_path)
    version(made, 1, against=None, stable=True)
    version(made, 2, against=1, stable=True)
    version(made, 3, against=2)
    version(made, 4, against=2, approved=False)
    version(made, 5, against=2, quarantined="rolled back: slow")
    serves(made, 1)
    serves(made, 2, previous=1)
    return made


def asked(bench: Bench) -> list[Action]:
    return [row.action for row in bench.own.store.tables.actions.values()]


async def test_versions_say_their_aliases_metrics_and_verdicts(bench: Bench) -> None:
    async with bench.client(Role.VIEWER) as client:
        page = (await client.get(f"/models/{MODEL}/versions", params={"limit": 4})).json()
        rest = (await client.get(f"/models/{MODEL}/versions", params={"before": page["next_before"]})).json()
    found = {one["number"]: one for one in (*page["versions"], *rest["versions"])}
    assert list(found) == [5, 4, 3, 2, 1]
    assert rest["next_before"] is None
    assert {number: one["aliases"] for number, one in found.items() if one["aliases"]} == {3: ["challenger"], 2: ["champion"], 1: ["previous_champion"]}
    assert found[4]["failed_gates"] == ["improvement"]
    judged = {"approved": True, "against": f"{MODEL}@2", "rows": 4, "passed": 1, "gates": 1, "relative": -0.1, "relative_interval": [-0.2, -0.05]}
    assert found[3]["judged"] == judged
    low, high = found[3]["held_out_interval"]
    assert low < found[3]["held_out_error"] == 0.25 < high
    assert found[5]["quarantined"] == "rolled back: slow"


async def test_a_promotion_is_recorded_with_who_asked_and_why_once_per_key(bench: Bench) -> None:
    async with bench.client(Role.OPERATOR, subject="ann") as client:
        answers = [await client.post(f"/models/{MODEL}/promote", json={"version": f"{MODEL}@3", **WHY}, headers={"Idempotency-Key": "one"}) for _ in range(2)]
        other = await client.post(f"/models/{MODEL}/promote", json={"version": f"{MODEL}@3", "reason": "another"}, headers={"Idempotency-Key": "one"})
    assert [answer.status_code for answer in answers] == [202, 202]
    [action] = asked(bench)
    assert {answer.json()["action_id"] for answer in answers} == {str(action.id)}
    assert answers[0].headers["location"] == f"/actions/{action.id}/explain"
    assert (action.kind, action.target, action.params) == ("promote", f"{MODEL}@3", {"forced": False, "requested_by": "api:ann", **WHY})
    assert (other.status_code, other.json()["type"]) == (422, "urn:evergreen:problem:idempotency-key-reused")


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        pytest.param("promote", {"version": f"{MODEL}@4"}, 409, "refused, not approved by the gates", id="refused-by-the-gates"),
        pytest.param("promote", {"version": f"{MODEL}@4", "forced": True}, 202, "", id="forced"),
        pytest.param("promote", {"version": f"{MODEL}@5", "forced": True}, 409, "quarantined: rolled back: slow", id="quarantined-even-by-force"),
        pytest.param("promote", {"version": f"{MODEL}@2"}, 409, "serves already", id="serves-already"),
        pytest.param("promote", {"version": f"{MODEL}@9"}, 409, "there is no version", id="no-such-version"),
        pytest.param("promote", {"version": "other@1"}, 422, "no version of", id="another-models"),
        pytest.param("rollback", {}, 202, "", id="back-to-the-newest-stable"),
        pytest.param("rollback", {"to": f"{MODEL}@1"}, 202, "", id="back-to-a-named-one"),
        pytest.param("rollback", {"to": f"{MODEL}@3"}, 409, "never earned stable", id="back-to-one-that-is-not-stable"),
        pytest.param("rollback", {"to": f"{MODEL}@3", "forced": True}, 202, "", id="back-to-it-by-force"),
        pytest.param("rollback", {"to": f"{MODEL}@5", "forced": True}, 409, "quarantined", id="back-to-a-quarantined-one"),
    ],
)
async def test_what_the_rules_refuse_is_said_and_not_recorded(bench: Bench, path: str, body: dict[str, Any], status: int, said: str) -> None:
    async with bench.client(Role.OPERATOR) as client:
        answer = await client.post(f"/models/{MODEL}/{path}", json={**body, **WHY})
    assert answer.status_code == status, answer.text
    assert said in answer.json().get("detail", "")
    assert len(asked(bench)) == (status == 202)


async def test_a_repeat_is_the_same_action_though_it_would_be_refused_by_now(bench: Bench) -> None:
    async with bench.client(Role.OPERATOR) as client:
        first = await client.post(f"/models/{MODEL}/promote", json={"version": f"{MODEL}@3", **WHY}, headers={"Idempotency-Key": "k"})
        serves(bench, 3, previous=2)
        again = await client.post(f"/models/{MODEL}/promote", json={"version": f"{MODEL}@3", **WHY}, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()) == (202, first.json())


async def test_a_preview_changes_nothing(bench: Bench) -> None:
    async with bench.client(Role.VIEWER) as client:
        promotion = (await client.get(f"/models/{MODEL}/promote", params={"version": f"{MODEL}@3"})).json()
        back = (await client.get(f"/models/{MODEL}/rollback")).json()
    assert (promotion["outcome"], promotion["champion"], promotion["target"]) == ("would_wait", f"{MODEL}@2", f"{MODEL}@3")  # nobody serves here
    assert [gate["name"] for gate in promotion["gates"]] == ["improvement"]
    assert back["target"] == f"{MODEL}@1"
    assert asked(bench) == []


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ANALYST, Role.SERVICE, Role.USER])
async def test_only_an_operator_changes_who_serves(bench: Bench, role: Role) -> None:
    async with bench.client(role) as client:
        answers = [await client.post(f"/models/{MODEL}/{path}", json={"version": f"{MODEL}@3", **WHY}) for path in ("promote", "rollback")]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert asked(bench) == []


async def test_another_models_name_is_no_model(bench: Bench) -> None:
    async with bench.client(Role.OPERATOR) as client:
        answers = [await client.get(f"/models/other/{path}") for path in ("versions", "versions/1", "versions/1/report", "ledger", "rollback")]
    assert [answer.status_code for answer in answers] == [404] * 5


async def test_a_reason_is_needed(bench: Bench) -> None:
    async with bench.client(Role.OPERATOR) as client:
        answers = [await client.post(f"/models/{MODEL}/promote", json={"version": f"{MODEL}@3", **said}) for said in ({}, {"reason": ""})]
    assert [answer.status_code for answer in answers] == [422, 422]
