"""MLflow's scoring protocol on a worker of twins: routes, headers, refusals, what is counted and logged."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
import pytest

from evergreen.core.access import Need
from evergreen.ports.serving import Later, PredictionRecord
from serving.routes.open_inference import inference_hot
from serving.routes.scoring import scoring_hot
from serving.scoring import INLINE_ROWS, LOGGED_ROWS
from tests.support.serving_bench import SPEC, Bench

pytestmark = pytest.mark.anyio
NAMES = list(SPEC.feature_names)
ONE = {"dataframe_split": {"columns": NAMES, "data": [[1.0] * len(NAMES)]}}


def rows(count: int) -> dict[str, Any]:
    return {"dataframe_split": {"columns": NAMES, "data": [[float(at)] * len(NAMES) for at in range(count)]}}


def fault(answer: httpx.Response) -> tuple[int, str]:
    """All of MLflow's keys and nothing else."""
    found = answer.json()
    assert set(found) == {"error_code", "message", "sqlstate", "error_class"}
    assert "Traceback" not in answer.text
    return answer.status_code, found["error_code"]


@pytest.mark.parametrize("path", ["/invocations", f"/models/{SPEC.name}/invocations"])
async def test_the_champion_answers_and_says_which_version_it_is(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path, json=ONE)
    assert (answer.status_code, answer.json()) == (200, {"predictions": [1.0]})
    assert answer.headers["x-model-version"] == f"{SPEC.name}@1"
    assert answer.headers["content-type"] == "application/json"


async def test_a_later_champion_answers_the_next_request(running: Bench, client: httpx.AsyncClient) -> None:
    await running.deployed(2)
    answer = await client.post("/invocations", json=ONE)
    assert (answer.json(), answer.headers["x-model-version"]) == ({"predictions": [2.0]}, f"{SPEC.name}@2")


async def test_ping_health_and_version_say_what_mlflow_says(client: httpx.AsyncClient) -> None:
    import mlflow.version

    assert [(await client.get(path)).content for path in ("/ping", "/health", "/version")] == [b"\n", b"\n", mlflow.version.VERSION.encode()]


async def test_an_unknown_model_is_404_in_mlflows_words(client: httpx.AsyncClient) -> None:
    assert fault(await client.post("/models/nobody/invocations", json=ONE)) == (404, "RESOURCE_DOES_NOT_EXIST")


async def test_without_a_champion_it_is_503_and_when_to_come_again(bench: Bench) -> None:
    async with bench.client() as client:
        answer = await client.post("/invocations", json=ONE)
    assert fault(answer) == (503, "TEMPORARILY_UNAVAILABLE")
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"{", "BAD_REQUEST", id="half-an-object"),
        pytest.param(b"", "BAD_REQUEST", id="nothing"),
        pytest.param(b"[" * 100_000, "BAD_REQUEST", id="too-deep"),
        pytest.param(b'{"inputs": ' + b"9" * 5000 + b"}", "BAD_REQUEST", id="a-number-without-end"),
        pytest.param(b'{"inputs": {"hour": ' + b"[" * 500 + b"]" * 500 + b"}}", "BAD_REQUEST", id="a-deep-value"),
        pytest.param(b'{"inputs": {"other": ' + b"[" * 500 + b"]" * 500 + b"}}", "BAD_REQUEST", id="a-deep-value-nobody-asks-for"),
        pytest.param(b"{}", "BAD_REQUEST", id="no-format"),
        pytest.param(b'{"inputs": 1, "instances": 1}', "BAD_REQUEST", id="two-formats"),
        pytest.param(b'{"prompt": "hello"}', "INVALID_PARAMETER_VALUE", id="a-language-models"),
        pytest.param(b'{"dataframe_records": [{"hour": 1}]}', "INVALID_PARAMETER_VALUE", id="missing-columns"),
    ],
)
async def test_what_cannot_be_answered_is_400_in_mlflows_shape(client: httpx.AsyncClient, body: bytes, code: str) -> None:
    assert fault(await client.post("/invocations", content=body, headers={"content-type": "application/json"})) == (400, code)


@pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=latin-1", "application/json; x=1", "application/vnd.apache.parquet", ""])
async def test_another_content_type_is_415_in_plain_text(client: httpx.AsyncClient, kind: str) -> None:
    answer = await client.post("/invocations", content=json.dumps(ONE), headers={"content-type": kind} if kind else {})
    assert (answer.status_code, answer.headers["content-type"]) == (415, "text/plain; charset=utf-8")


async def test_text_that_would_need_gigabytes_as_an_array_is_only_looked_at(client: httpx.AsyncClient) -> None:
    record = dict.fromkeys(NAMES, [1.0] * 1000)
    answer = await client.post("/invocations", json={"inputs": {**record, "text": ["a" * 300_000, *[""] * 999]}})
    assert (answer.status_code, len(answer.json()["predictions"])) == (200, 1000)


async def test_a_prediction_that_is_no_number_is_said_as_python_says_it(running: Bench, client: httpx.AsyncClient) -> None:
    champion = running.slots.current(SPEC.name)
    assert champion is not None
    object.__setattr__(champion.loaded, "score", lambda matrix: np.full(len(matrix), np.nan))
    assert (await client.post("/invocations", json=ONE)).content == b'{"predictions": [NaN]}'


async def test_a_model_that_breaks_is_a_problem_without_its_words(running: Bench, client: httpx.AsyncClient) -> None:
    champion = running.slots.current(SPEC.name)
    assert champion is not None
    object.__setattr__(champion.loaded, "score", _breaking)
    answer = await client.post("/invocations", json=ONE)
    assert (answer.status_code, "secret" in answer.text) == (500, False)


def _breaking(_matrix: Any) -> Any:
    raise RuntimeError("SELECT secret FROM table")


def logged_rows(running: Bench, monkeypatch: pytest.MonkeyPatch) -> list[PredictionRecord]:
    logged: list[PredictionRecord] = []

    def record(later: Later) -> None:
        logged.extend(later())

    monkeypatch.setattr(running.log, "record", record)
    return logged


async def test_rows_are_counted_and_the_first_of_them_logged(running: Bench, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = logged_rows(running, monkeypatch)
    await client.post("/invocations", json=rows(LOGGED_ROWS + 5))
    assert f'predictions_total{{model_name="{SPEC.name}",version="1"}} {LOGGED_ROWS + 5}.0' in (await client.get("/metrics")).text
    await running.until(lambda: len(logged) == LOGGED_ROWS)
    assert [(record.entity, json.loads(record.answer)) for record in logged] == [(None, {"prediction": 1.0})] * LOGGED_ROWS
    assert json.loads(logged[3].features) == dict.fromkeys(NAMES, 3.0)


async def test_many_rows_are_scored_off_the_event_loop(running: Bench, client: httpx.AsyncClient) -> None:
    import threading

    champion, threads = running.slots.current(SPEC.name), []
    assert champion is not None

    def score(matrix: Any) -> Any:
        threads.append(threading.current_thread())
        return np.zeros(len(matrix))

    object.__setattr__(champion.loaded, "score", score)
    for count in (INLINE_ROWS, INLINE_ROWS + 1):
        assert len((await client.post("/invocations", json=rows(count))).json()["predictions"]) == count
    assert [thread is threading.main_thread() for thread in threads] == [True, False]


async def test_a_reply_says_how_many_rows_it_cost(running: Bench) -> None:
    from serving.hot import Call

    routes = {route.template: route for route in scoring_hot(running.serving)}
    reply = await routes["/invocations"].handle(Call(json.dumps(rows(7)).encode(), headers={"content-type": "application/json"}))
    assert reply.cost == 7


async def test_every_path_that_is_known_at_start_is_answered_at_the_edge(bench: Bench) -> None:
    routes = [*scoring_hot(bench.serving), *inference_hot(bench.serving)]
    assert {route.template for route in routes if not route.exact} == {f"/v2/models/{{model}}/versions/{{version}}{end}" for end in ("", "/ready", "/infer")}
    public = {"/ping", "/health", "/version", "/v2/health/live", "/v2/health/ready"}
    assert {route.template for route in routes if route.need is Need.PUBLIC} == public
    assert {route.need for route in routes if route.template not in public} == {Need.PREDICT}


async def test_what_is_not_known_or_not_finite_is_left_out_of_the_log(running: Bench, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = logged_rows(running, monkeypatch)
    row = dict.fromkeys(NAMES, 1.0) | {NAMES[0]: None, NAMES[1]: "inf"}
    await client.post("/invocations", json={"dataframe_records": [row]})
    await running.until(lambda: bool(logged))
    assert set(json.loads(logged[0].features)) == set(NAMES[2:])
