"""The page of models, with serving as a table of answers."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import httpx
import pytest

from dashboard.pages.models import page
from dashboard.parts.model_change import going_back, promotion
from dashboard.words import words
from evergreen.core.access import Role
from tests.support.dashboard_stub import Stub, shown

MODEL = "video_performance"
HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert(1))"
TOTALS = {"retrains": 1, "served": 1, "refused": 0, "rolled_back": 0, "compared": 0, "cost_seconds": 2.0, "mean_promised": None, "mean_realised": None}


def version(number: int, **changes: Any) -> dict[str, Any]:
    judged = {"approved": True, "against": "median", "rows": 50, "passed": 1, "gates": 1, "relative": -0.1, "relative_interval": [-0.2, -0.05]}
    same = {"champion": False, "status": "approved", "stable": False, "quarantined": None, "cause": "manual", "rows": 10, "as_of": "2025-08-01T00:00:00Z"}
    metric = {
        "metric": "mae",
        "direction": "lower",
        "held_out_error": 0.25,
        "held_out_interval": [0.2, 0.3],
        "metrics": {"mae": 0.25, "training_rows": 10.0},
        "cost_seconds": 1.0,
    }
    links = {"url": "http://mlflow/1", "run_url": "http://mlflow/2", "failed_gates": [], "judged": judged, "trained": ["2025-07-01", "2025-07-20"]}
    return {"version": f"{MODEL}@{number}", "number": number, "aliases": [], **same, **metric, **links, **changes}


VERSIONS = [version(3, aliases=["challenger"]), version(2, aliases=["champion"], champion=True, stable=True), version(1, stable=True, quarantined=HOSTILE)]
GATE = {"name": "improvement", "passed": True, "detail": HOSTILE, "numbers": {"relative": -0.1}}
REPORT = {**version(3), "gates": [GATE], "window": ["2025-07-21", "2025-07-25"], "performance": None, "estimate": None}
STATE = {"model": MODEL, "version": f"{MODEL}@2", "epoch": 2, "since": "2025-08-02T00:00:00Z", "stable": True, "workers": {"a": f"{MODEL}@2"}}
PREVIEW: dict[str, Any] = {
    "kind": "promote",
    "model": MODEL,
    "champion": f"{MODEL}@2",
    "epoch": 2,
    "target": f"{MODEL}@3",
    "outcome": "would_change",
    "reason": "approved",
}
PREVIEW |= {"checks": [{"name": "rules", "passed": True, "detail": "the version may serve"}], "gates": [GATE]}
ACTION: dict[str, Any] = {
    "kind": "promote",
    "target": f"{MODEL}@3",
    "status": "running",
    "params": {"requested_by": "api:ann", "reason": HOSTILE},
    "approvals": [],
    "error": None,
}
ACTION |= {"id": "7", "claimed_at": "2025-08-03T00:00:00Z", "finished_at": None, "deployments": []}


def answers(**changes: Any) -> dict[str, Any]:
    found = {
        "GET /models": {"models": [STATE]},
        f"GET /models/{MODEL}/versions": {"model": MODEL, "versions": VERSIONS, "next_before": None},
        f"GET /models/{MODEL}/history": {"deployments": []},
        f"GET /models/{MODEL}/versions/3": REPORT,
        f"GET /models/{MODEL}/versions/1": {**REPORT, **VERSIONS[2]},
        f"GET /models/{MODEL}/ledger": {"entries": [], "totals": TOTALS},
        f"GET /models/{MODEL}/promote": PREVIEW,
        f"GET /models/{MODEL}/rollback": {**PREVIEW, "kind": "rollback", "target": f"{MODEL}@1"},
        f"POST /models/{MODEL}/promote": {"action_id": "7"},
        "GET /actions/7/explain": {"actions": [ACTION]},
    }
    return {**found, **changes}


def bodies(ran: Any) -> list[str]:
    return [one.body for one in ran.get("html")]


def labels(ran: Any) -> list[str]:
    return [button.label for button in ran.button]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_versions_gates_and_ledger_are_shown(language: str) -> None:
    ran = shown(page, Stub(answers()), language=language)
    assert len(ran.subheader) == 4
    assert ran.metric[0].value == "@2"
    [table] = [one.value for one in ran.dataframe if len(one.value) == len(VERSIONS)]
    assert "0.2500 [0.2000, 0.3000]" in table.to_numpy()
    assert any(f"{words(language)('names.number.relative')} = -0.1" in body for body in bodies(ran))


def test_another_metric_of_the_score_card_is_drawn_and_in_the_table() -> None:
    ran = shown(page, Stub(answers()))
    assert ran.selectbox[0].options == ["Held-out mae", "Change against the champion of then", "Training rows"]
    ran.selectbox[0].select("training_rows").run()
    assert "keeps no interval" in " ".join(one.value for one in ran.caption)
    [table] = [one.value for one in ran.dataframe if len(one.value) == len(VERSIONS)]
    assert list(table["Training rows"]) == ["10"] * len(VERSIONS)


def test_who_may_not_act_has_no_button_to_act() -> None:
    operator, viewer = shown(page, Stub(answers())), shown(page, Stub(answers()), role=Role.VIEWER)
    assert labels(operator) == ["Promote…", "Roll back…"]
    assert labels(viewer) == []


def test_what_was_found_stays_text() -> None:
    ran = shown(page, Stub(answers()))
    assert all("<img" not in body for body in bodies(ran))
    ran.selectbox(f"models_version_{MODEL}").set_value(1).run()
    said = " ".join(one.value for one in (*ran.error, *ran.markdown, *ran.caption))
    assert "[x](javascript" not in said
    assert "<img" not in said.replace("\\<", "")
    assert not ran.exception


def test_promoting_asks_for_a_reason_and_tells_it_to_serving_once() -> None:
    stub = Stub(answers())
    ran = shown(partial(promotion, [VERSIONS[0]]), stub)
    assert f"**{MODEL}@3** will serve" in ran.markdown[0].value.replace("\\", "")
    ran.button[0].click().run()
    assert ran.error[-1].value.startswith("Say why")
    assert [one for one in stub.asked if one.method == "POST"] == []
    ran.text_area[0].input("new data").run()
    ran.button[0].click().run()
    [told] = [one for one in stub.asked if one.method == "POST"]
    assert json.loads(told.content) == {"version": f"{MODEL}@3", "forced": False, "reason": "new data"}
    assert told.headers["idempotency-key"] == ran.session_state["models_key"]
    assert ran.session_state["models_followed"] == {"id": "7", "model": MODEL, "over": False}


def test_what_the_rules_refuse_cannot_be_confirmed_unless_it_is_forced() -> None:
    refused = {**PREVIEW, "outcome": "refused", "reason": "not approved by the gates"}
    allowed = {**PREVIEW, "outcome": "would_wait"}
    stub = Stub(answers(**{f"GET /models/{MODEL}/promote": lambda asked: allowed if "forced" in asked.url.params else refused}))
    ran = shown(partial(promotion, [VERSIONS[0]]), stub)
    assert ran.button[0].disabled
    assert "not approved by the gates" in ran.error[0].value
    ran.checkbox[0].check().run()
    assert not ran.button[0].disabled


def test_a_refusal_in_the_meantime_is_said_in_its_own_words() -> None:
    stub = Stub(answers(**{f"POST /models/{MODEL}/rollback": httpx.Response(409, json={"title": "no", "detail": "another version serves now"})}))
    ran = shown(partial(going_back, STATE, VERSIONS[:1]), stub)
    ran.text_area[0].input("slow").run()
    ran.button[0].click().run()
    assert "another version serves now" in ran.error[-1].value
    assert "models_followed" not in ran.session_state


def test_an_action_is_followed_until_it_is_over() -> None:
    stub = Stub(answers())
    ran = shown(page, stub)
    ran.session_state["models_followed"] = {"id": "7", "model": MODEL, "over": False}
    ran.run()
    assert any("running" in one.value for one in ran.markdown)
    stub.answers["GET /actions/7/explain"] = {"actions": [{**ACTION, "status": "failed", "error": "no answer from b"}]}
    ran.run()
    assert ran.session_state["models_followed"]["over"]
    assert any("no answer from b" in one.value.replace("\\", "") for one in ran.error)
    next(button for button in ran.button if button.label == "Close").click().run()
    assert "models_followed" not in ran.session_state


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"GET /models": {"models": []}}, "No model is known here", id="no-model"),
        pytest.param({f"GET /models/{MODEL}/versions": {"versions": []}}, "No version yet", id="no-version"),
        pytest.param({"GET /models": {"models": [{**STATE, "version": None, "stable": None}]}}, "No version serves yet", id="no-champion"),
    ],
)
def test_what_is_not_there_yet_is_said(changes: dict[str, Any], said: str) -> None:
    ran = shown(page, Stub(answers(**changes)))
    assert any(said in one.value for one in ran.markdown)


def test_without_serving_it_says_so_and_offers_another_try() -> None:
    ran = shown(page, Stub(answers(**{"GET /models": httpx.Response(503, json={"title": "Unavailable"})})))
    assert len(ran.warning) == 1
    assert labels(ran) == ["Try again"]
