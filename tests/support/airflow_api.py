"""Airflow's public API, as a person uses it through the UI: logged in with the home's own password."""

from __future__ import annotations

from typing import Any, cast

import httpx

from evergreen.local_stack.credentials import load_credentials
from evergreen.local_stack.home import Home
from evergreen.settings import Settings


class AirflowApi:
    def __init__(self, settings: Settings, user: str = "admin") -> None:
        password = load_credentials(Home(settings.home)).airflow_users[user]
        self._client = httpx.Client(base_url=settings.airflow.url, timeout=30)
        token = self._client.post("/auth/token", json={"username": user, "password": password})
        token.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {token.json()['access_token']}"

    def pause(self, dag: str, *, paused: bool) -> None:
        self._client.patch(f"/api/v2/dags/{dag}", json={"is_paused": paused}).raise_for_status()

    def trigger(self, dag: str, conf: dict[str, Any]) -> str:
        answer = self._client.post(f"/api/v2/dags/{dag}/dagRuns", json={"logical_date": None, "conf": conf})
        answer.raise_for_status()
        return cast("str", answer.json()["dag_run_id"])

    def run(self, dag: str, run: str) -> dict[str, Any]:
        answer = self._client.get(f"/api/v2/dags/{dag}/dagRuns/{run}")
        answer.raise_for_status()
        return cast("dict[str, Any]", answer.json())

    def runs(self, dag: str) -> list[dict[str, Any]]:
        return self._list(f"/api/v2/dags/{dag}/dagRuns", "dag_runs")

    def tasks(self, dag: str, run: str) -> dict[str, str | None]:
        """Task id -> state."""
        return {each["task_id"]: each["state"] for each in self._list(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances", "task_instances")}

    def links(self, dag: str, run: str, task: str) -> dict[str, str | None]:
        answer = self._client.get(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/links")
        answer.raise_for_status()
        return cast("dict[str, str | None]", answer.json()["extra_links"])

    def question(self, dag: str, run: str, task: str = "claim") -> dict[str, Any] | None:
        """What a person is asked there; None: nothing."""
        answer = self._client.get(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/-1/hitlDetails")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        return cast("dict[str, Any]", answer.json())

    def answer(self, dag: str, run: str, option: str, comment: str | None = None, task: str = "claim") -> None:
        body = {"chosen_options": [option], "params_input": {"comment": comment}}
        self._client.patch(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/-1/hitlDetails", json=body).raise_for_status()

    def mark(self, dag: str, run: str, state: str) -> None:
        self._client.patch(f"/api/v2/dags/{dag}/dagRuns/{run}", json={"state": state}).raise_for_status()

    def _list(self, path: str, key: str) -> list[dict[str, Any]]:
        answer = self._client.get(path, params={"limit": 100})
        answer.raise_for_status()
        return cast("list[dict[str, Any]]", answer.json()[key])

    def close(self) -> None:
        self._client.close()
