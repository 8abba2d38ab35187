"""Two pages within Airflow's own UI: the loop as it is now, and why a run ran. Shown in a frame by `plugins/evergreen_plugin.py`.

Guarantee: nobody sees them who may not see Airflow's own pages, or that DAG; nothing of them is built in a process that does not serve them.
Failure: Postgres does not answer. Remedy: the page says so and looks again by itself."""

from __future__ import annotations

import asyncio
import secrets
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from evergreen.core.clock import wall_now
from evergreen.core.errors import NotFound, Unavailable
from evergreen.orchestration.lease import CLAIM_TASK
from evergreen.orchestration.links import DAGS, cause_url, report_url, returned_of, version_of
from evergreen.orchestration.process import parts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from evergreen.adapters.loop_records import LoopRecords

PREFIX = "/evergreen"
ACTIONS, DECISIONS = 20, 10
_TEMPLATES = Path(__file__).parent / "templates"


class LoopView:
    """An ASGI application that is built when it is first asked: the plugin is loaded by every task, too."""

    def __init__(self) -> None:
        self._built: FastAPI | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._built is None:
            self._built = await asyncio.to_thread(build)
        await self._built(scope, receive, send)


@cache
def records() -> LoopRecords:
    """Belongs to the API server's event loop."""
    from evergreen.adapters.async_postgres import AsyncPostgres
    from evergreen.adapters.loop_records import LoopRecords

    here = parts()
    return LoopRecords(AsyncPostgres(here.settings.postgres.dsn.get_secret_value()), list(here.specs), here.settings.airflow.url)


def build() -> FastAPI:
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
    from airflow.api_fastapi.core_api.security import requires_access_dag, requires_access_view
    from fastapi import Depends, FastAPI

    app = FastAPI(title="Evergreen", openapi_url=None)
    anybody, of_the_dag = Depends(requires_access_view(AccessView.WEBSITE)), Depends(requires_access_dag("GET", DagAccessEntity.RUN))

    @app.get("/loop", dependencies=[anybody])
    async def loop() -> Any:
        """The loop as it is now."""
        return await _page("loop.html", _loop)

    @app.get("/runs/{dag_id}/{run_id:path}", dependencies=[of_the_dag])
    async def run(dag_id: str, run_id: str) -> Any:
        """Why a run ran, and what it made."""
        return await _page("run.html", lambda: _run(dag_id, run_id))

    return app


async def _page(template: str, told: Callable[[], Awaitable[dict[str, Any]]]) -> Response:
    from starlette.responses import HTMLResponse

    values: dict[str, Any] = {"nonce": secrets.token_urlsafe(16), "now": wall_now(), "trouble": ""}
    try:
        values |= await told()
    except (NotFound, Unavailable) as error:
        values["trouble"] = str(error)
    policy = f"default-src 'none'; style-src 'nonce-{values['nonce']}'; script-src 'nonce-{values['nonce']}'; connect-src 'self'; frame-ancestors 'self'"
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(_templates().get_template(template).render(values), headers=headers)


async def _loop() -> dict[str, Any]:
    from evergreen.contracts.api_records import ActionFilter, DecisionFilter

    known, here = records(), parts()
    models = await known.models()
    actions = (await known.actions(ActionFilter(limit=ACTIONS))).actions
    decisions = (await known.decisions(DecisionFilter(limit=DECISIONS))).decisions
    return {
        "models": [(model, _registered(model.version)) for model in models],
        "actions": [(action, cause_url(action.id), _run_path(action.kind, action.run_id)) for action in actions],
        "decisions": decisions,
        "dashboard": here.settings.dashboard.url,
    }


async def _run(dag_id: str, run_id: str) -> dict[str, Any]:
    """Raises NotFound for a run that carried nothing out."""
    returned = await asyncio.to_thread(returned_of, dag_id, run_id)
    claim = returned.get(CLAIM_TASK)
    if claim is None:
        raise NotFound("This run carried no action out: the one that rang went to another run, or it has not begun.")
    explained = await records().explain(claim["action_id"])
    named = version_of(returned)
    return {
        "explained": explained,
        "action": next((one for one in explained.actions if one.id == claim["action_id"]), None),
        "links": [
            ("Explain", cause_url(claim["action_id"])),
            *([(f"{named[0]}@{named[1]} in MLflow", parts().registry.version_url(*named))] if named else []),
            *([("Report", report)] if (report := report_url(returned)) else []),
        ],
    }


def _registered(version: str | None) -> str:
    model, _, number = (version or "").partition("@")
    return parts().registry.version_url(model, int(number)) if number else ""


def _run_path(kind: str, run_id: str | None) -> str:
    """Within Airflow's UI. What the monitor carries out itself has no run there."""
    return f"/dags/{kind}/runs/{quote(run_id, safe='')}" if run_id and kind in DAGS else ""


@cache
def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader, select_autoescape

    made = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=select_autoescape(), auto_reload=False)
    made.filters["instant"] = lambda at: f"{at:%Y-%m-%d %H:%M:%S}" if at else "–"
    made.filters["words"] = lambda name: str(name).replace("_", " ")
    return made
