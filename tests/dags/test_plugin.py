"""What the plugin adds to Airflow's UI: it loads as Airflow loads it, its pages are for those who may see Airflow's, and names stay text."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from airflow.api_fastapi.core_api import security
from airflow.models.dag import DagModel
from jwt import InvalidTokenError

from evergreen.contracts.api import ModelState
from evergreen.contracts.api_records import ActionPage, ActionSummary, DecisionPage, DecisionSummary, Explanation
from evergreen.core.errors import NotFound, Unavailable
from evergreen.environment import child_environment
from evergreen.orchestration import links, loop_view
from evergreen.orchestration.lease import CLAIM_TASK
from tests.support.events import NOON

pytestmark = pytest.mark.anyio
HOSTILE = "<img src=x onerror=alert(1)>"
DASHBOARD = "http://dashboard:8501"
RUN = "asset_triggered__2026-11-26T13:22:15+00:00_x"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def action(**more: Any) -> ActionSummary:
    told: dict[str, Any] = {"id": "a1", "kind": "retrain", "model": "m", "target": "m", "reason": "data_drift_high", "severity": "high", "priority": "high"}
    told |= {"status": "succeeded", "event_type": "data_drift_detected", "accepted_at": NOON, "due_at": NOON, "attempts": 1, "run_id": RUN, "error": None}
    return ActionSummary(**(told | more))


class Records:
    away = False

    async def models(self) -> list[ModelState]:
        if self.away:
            raise Unavailable("Postgres does not answer")
        none = dict.fromkeys(("version", "epoch", "since", "stable", "previous_version"))
        serving = ModelState(model="m", version="m@3", epoch=1, since=NOON, stable=True, previous_version="m@2", workers={"w": "m@3"})
        return [serving, ModelState(model="young", **none, workers={})]

    async def actions(self, _wanted: object) -> ActionPage:
        scaling = action(id="a2", kind="scale_up", run_id="local:1", status="failed", error=HOSTILE)
        return ActionPage(actions=[action(), scaling], next_cursor=None)

    async def decisions(self, _wanted: object) -> DecisionPage:
        one = DecisionSummary(
            model="m",
            seq=1,
            event_type="model_degraded",
            event_id="e 1",
            decided_at=NOON,
            severity="high",
            rule="r",
            outcome="accepted",
            policy_hash="0",
            answers=[],
        )
        return DecisionPage(decisions=[one], next_cursor=None)

    async def explain(self, name: str) -> Explanation:
        if name != "a1":
            raise NotFound(f"no action {name}")
        return Explanation(about="action", id=name, says=f"retrain of m because of {HOSTILE}", events=[], drifted=[], answers=[], decisions=[], actions=[])


class Doorkeeper:
    """Airflow's auth manager: `admin` may see everything, `guest` the website and no DAG."""

    async def get_user_from_token(self, token: str) -> str:
        if token not in {"admin", "guest"}:
            raise InvalidTokenError
        return token

    def is_authorized_view(self, *, access_view: object, user: str) -> bool:
        return True

    def is_authorized_dag(self, *, user: str, **_about: object) -> bool:
        return user == "admin"


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Records:
    records = Records()
    registry = SimpleNamespace(version_url=lambda model, number: f"http://mlflow/{model}/{number}")
    here = SimpleNamespace(settings=SimpleNamespace(dashboard=SimpleNamespace(url=DASHBOARD)), registry=registry)
    returned = {
        RUN: {CLAIM_TASK: {"action_id": "a1", "target": "m"}, "train": {"model_version": "m@4"}},
        "old": {CLAIM_TASK: {"action_id": "gone", "target": "m"}},
    }
    monkeypatch.setattr(loop_view, "records", lambda: records)
    for module in (loop_view, links):
        monkeypatch.setattr(module, "parts", lambda: here)
    monkeypatch.setattr(loop_view, "returned_of", lambda dag_id, run_id: returned.get(run_id, {}) if dag_id == "retrain" else {})
    monkeypatch.setattr(security, "get_auth_manager", Doorkeeper)
    monkeypatch.setattr(DagModel, "get_team_name", lambda _dag_id: None)
    return records


@pytest.fixture
async def airflow(known: Records) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(loop_view.LoopView()), base_url="http://airflow") as client:
        yield client


async def page(airflow: httpx.AsyncClient, path: str, user: str = "admin", status: int = 200) -> str:
    answer = await airflow.get(path, headers={"authorization": f"Bearer {user}"} if user else {})
    assert answer.status_code == status, answer.text
    return answer.text


async def test_the_loop_is_shown_with_its_links_and_words_stay_text(airflow: httpx.AsyncClient) -> None:
    said = await page(airflow, "/loop")
    assert '<a href="http://mlflow/m/3">m@3</a>' in said
    assert "evergreen models train young" in said
    assert f'href="{DASHBOARD}/decisions?action=a1"' in said
    assert f'href="{DASHBOARD}/decisions?event=e%201"' in said
    assert said.count('data-within href="/dags/') == 1  # what the monitor did itself has no run
    assert "/dags/retrain/runs/asset_triggered__2026-11-26T13%3A22%3A15%2B00%3A00_x" in said
    assert HOSTILE not in said


async def test_a_run_says_why_and_links_on(airflow: httpx.AsyncClient) -> None:
    said = await page(airflow, f"/runs/retrain/{RUN}")
    assert "retrain of m because of &lt;img" in said
    assert [link in said for link in (f"{DASHBOARD}/decisions?action=a1", "http://mlflow/m/4", f"{DASHBOARD}/models?model=m&amp;version=4")] == [True] * 3


@pytest.mark.parametrize(("path", "words"), [("/runs/retrain/other", "carried no action out"), ("/runs/retrain/old", "no action gone")])
async def test_a_run_of_which_nothing_is_known_says_so(airflow: httpx.AsyncClient, path: str, words: str) -> None:
    assert words in await page(airflow, path)


async def test_without_postgres_the_page_says_so(airflow: httpx.AsyncClient, known: Records) -> None:
    known.away = True
    assert "Postgres does not answer" in await page(airflow, "/loop")


async def test_nobody_looks_who_may_not(airflow: httpx.AsyncClient) -> None:
    await page(airflow, "/loop", user="", status=401)
    await page(airflow, "/loop", user="forged", status=403)
    await page(airflow, "/loop", user="guest")
    await page(airflow, f"/runs/retrain/{RUN}", user="guest", status=403)


async def test_the_frame_runs_its_own_script_alone(airflow: httpx.AsyncClient) -> None:
    answer = await airflow.get("/loop", headers={"authorization": "Bearer admin"})
    policy = answer.headers["content-security-policy"]
    nonce = policy.split("script-src 'nonce-")[1].split("'")[0]
    assert f'<script nonce="{nonce}">' in answer.text
    assert "unsafe" not in policy
    assert nonce not in (await airflow.get("/loop", headers={"authorization": "Bearer admin"})).text


def test_a_report_is_the_drift_that_was_found_or_the_version_that_was_made(known: Records) -> None:
    drift = {"check": {"reports": [{"report_id": "calm", "affected": []}, {"report_id": "bad", "affected": ["x"]}]}}
    assert links.report_url(drift) == f"{DASHBOARD}/drift?report=bad"
    assert links.report_url({CLAIM_TASK: {"target": "m@7"}}) == f"{DASHBOARD}/models?model=m&version=7"
    assert links.report_url({CLAIM_TASK: {"target": "videos"}}) == ""


def test_airflow_loads_the_plugin_and_pays_nothing_for_its_pages(airflow_home: tuple[Any, Any]) -> None:
    home, variables = airflow_home
    program = """if True:
        import json, sys
        from airflow import plugins_manager
        [info] = [one for one in plugins_manager.get_plugin_info() if one["name"] == "evergreen"]
        told = {"views": [view["name"] for view in info["external_views"]], "apps": [app["url_prefix"] for app in info["fastapi_apps"]]}
        print(json.dumps(told | {"errors": {**plugins_manager.get_import_errors()}, "built": "asyncpg" in sys.modules}))
    """
    done = subprocess.run([sys.executable, "-c", program], env=child_environment(home) | variables, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["views"], told["apps"], told["errors"]) == (["Model loop", "Dashboard", "Why this run"], ["/evergreen"], {})
    assert not told["built"]
