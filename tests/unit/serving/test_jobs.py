"""`/jobs…` on twins: who may see what, what is refused, and that nothing is kept of what is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from evergreen.contracts.api_jobs import JobRecord
from evergreen.core.access import Principal, Role
from evergreen.core.jobs import JobState
from evergreen.domains.tabular.spec import tabular_spec
from evergreen.domains.tabular.spec_file import parse_spec
from evergreen.ports.jobs import Job
from tests.support.serving_bench import Bench
from tests.unit.domains.tabular.test_spec_file import WHOLE

pytestmark = pytest.mark.anyio
CSV = {"content-type": "text/csv"}
BODY = b"hour,category_id\n1,2\n"
OPEN_JOBS, BYTES = 3, 200_000


class As:
    """Who asks, by their token."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.principal = bench, Principal("ann", frozenset({Role.SERVICE}))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        token = self.bench.door.token(*self.principal.roles, subject=self.principal.subject)
        scope["headers"] = [*scope["headers"], (b"authorization", f"Bearer {token}".encode())]
        await self.bench.app(scope, receive, send)


@pytest.fixture
async def edge(running: Bench) -> As:
    return As(running)


@pytest.fixture
async def client(edge: As) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://serving") as client:
        yield client


async def handed_in(client: httpx.AsyncClient, body: bytes = BODY, *, key: str | None = None) -> dict[str, Any]:
    answer = await client.post("/jobs/predictions", content=body, headers=CSV | ({"Idempotency-Key": key} if key else {}))
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/jobs/{found['id']}"
    JobRecord.model_validate_json(answer.content)
    return found


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def files(bench: Bench) -> list[str]:
    return sorted(str(file.relative_to(bench.folder / "jobs")) for file in (bench.folder / "jobs").rglob("*") if file.is_file())


def succeeded(bench: Bench, job_id: str, content: bytes) -> None:
    job = bench.jobs.rows[UUID(job_id)]
    now = datetime(2025, 7, 25, tzinfo=UTC)
    done: Job = replace(job, state=JobState.SUCCEEDED, token=1, rows_done=1, rows_total=1, finished_at=now, result_bytes=len(content), version=1)
    bench.jobs.rows[job.id] = done
    (bench.folder / "jobs" / job_id / "result-1.csv").write_bytes(content)


async def test_a_job_is_taken_with_its_file_whole_on_disk_and_shown(client: httpx.AsyncClient, running: Bench) -> None:
    job = await handed_in(client)
    assert (job["state"], job["queue_position"], job["input_format"], job["output_format"], job["subject"]) == ("queued", 1, "csv", "csv", "ann")
    assert files(running) == [f"{job['id']}/input.csv"]
    assert (running.folder / "jobs" / job["id"] / "input.csv").read_bytes() == BODY
    assert (await client.get(f"/jobs/{job['id']}")).json() == job
    assert (await client.get("/jobs")).json() == {"jobs": [job], "next_cursor": None}


@pytest.mark.parametrize(
    ("media", "format"), [("application/x-ndjson", "jsonl"), ("application/vnd.apache.parquet", "parquet"), ("text/csv; charset=utf-8", "csv")]
)
async def test_the_content_type_says_the_format_and_the_query_that_of_the_result(client: httpx.AsyncClient, media: str, format: str) -> None:
    answer = await client.post("/jobs/predictions?format=parquet&kind=rows", content=b"x", headers={"content-type": media})
    assert (answer.json()["input_format"], answer.json()["output_format"], answer.json()["kind"]) == (format, "parquet", "rows")


async def test_a_table_is_a_job_without_an_upload(client: httpx.AsyncClient, running: Bench) -> None:
    answer = await client.post("/jobs/predictions", json={"table": "videos", "region": "KR", "category_ids": [10], "seen_from": "2025-07-01"})
    assert (answer.status_code, answer.json()["output_format"]) == (202, "jsonl")
    [job] = running.jobs.rows.values()
    assert job.source == {"table": "videos", "region": "KR", "category_ids": [10], "seen_from": "2025-07-01"}
    assert files(running) == []


@pytest.mark.parametrize(
    ("body", "media", "query", "expected"),
    [
        pytest.param(b"x", "application/pdf", "", (415, "unsupported-media-type"), id="media"),
        pytest.param(b"x", "", "", (415, "unsupported-media-type"), id="no-media"),
        pytest.param(b"x", "text/csv", "?format=xlsx", (422, "invalid-request"), id="format"),
        pytest.param(b"x", "text/csv", "?model=nobody", (404, "not-found"), id="model"),
        pytest.param(b'{"table": "users"}', "application/json", "", (422, "invalid-request"), id="table"),
        pytest.param(b'{"table": "videos", "region": "\\u0000"}', "application/json", "", (422, "invalid-request"), id="nul"),
        pytest.param(b"[" * 50_000, "application/json", "", (400, "body-too-deep"), id="depth"),
        pytest.param(b" " * 70_000, "application/json", "", (413, "upload-too-large"), id="long-table"),
        pytest.param(b"x" * (BYTES + 1), "text/csv", "", (413, "upload-too-large"), id="upload"),
    ],
)
async def test_what_cannot_be_a_job_is_refused_and_nothing_of_it_stays(
    client: httpx.AsyncClient, running: Bench, body: bytes, media: str, query: str, expected: tuple[int, str]
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 65_536):
            yield body[at : at + 65_536]

    for content in (body, pieces()):  # announced, and not
        assert problem(await client.post(f"/jobs/predictions{query}", content=content, headers={"content-type": media})) == expected
    assert (files(running), running.jobs.rows) == ([], {})


async def test_bodies_above_the_edges_limit_reach_jobs_alone(client: httpx.AsyncClient, running: Bench) -> None:
    running.handed_in.max_bytes = 2**22
    await handed_in(client, b"hour\n" + b"1\n" * 2**20)
    assert problem(await client.post("/predict/batch", content=b"x" * (2**20 + 1)))[0] == 413


async def test_one_key_is_one_job_and_with_other_rows_it_is_refused(client: httpx.AsyncClient, running: Bench, edge: As) -> None:
    key = {"Idempotency-Key": "k1"}
    first, again = await handed_in(client, key="k1"), await handed_in(client, key="k1")
    assert first["id"] == again["id"]
    assert problem(await client.post("/jobs/predictions", content=BODY + b"3,4\n", headers=CSV | key)) == (422, "idempotency-key-reused")
    assert problem(await client.post("/jobs/predictions?format=jsonl", content=BODY, headers=CSV | key)) == (422, "idempotency-key-reused")
    table = {"table": "videos"}
    assert problem(await client.post("/jobs/predictions", json=table, headers=key)) == (422, "idempotency-key-reused")
    assert files(running) == [f"{first['id']}/input.csv"]
    edge.principal = Principal("bob", frozenset({Role.SERVICE}))
    assert (await handed_in(client, key="k1"))["id"] != first["id"]


async def test_the_same_key_twice_at_once_is_one_job(client: httpx.AsyncClient, running: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await handed_in(client, key="k")
    real, calls = running.jobs.keyed, 0

    async def late(subject: str, key: str) -> Job | None:
        nonlocal calls
        calls += 1
        return None if calls == 1 else await real(subject, key)

    monkeypatch.setattr(running.jobs, "keyed", late)
    assert (await handed_in(client, key="k"))["id"] == first["id"]
    assert files(running) == [f"{first['id']}/input.csv"]


async def test_a_caller_has_only_so_many_open_jobs(client: httpx.AsyncClient, running: Bench, edge: As) -> None:
    for _ in range(OPEN_JOBS):
        job = await handed_in(client)
    refused = await client.post("/jobs/predictions", content=BODY, headers=CSV)
    assert problem(refused) == (429, "too-many-jobs")
    assert int(refused.headers["retry-after"]) > 0
    assert (await client.delete(f"/jobs/{job['id']}")).json()["state"] == "cancelled"
    await handed_in(client)


async def test_anothers_job_does_not_exist_but_for_those_who_see_all(client: httpx.AsyncClient, edge: As) -> None:
    job = await handed_in(client)
    place = f"/jobs/{job['id']}"
    edge.principal = Principal("bob", frozenset({Role.USER}))
    for method, path in (("GET", place), ("GET", f"{place}/result"), ("DELETE", place), ("GET", f"/jobs/{uuid4()}"), ("GET", "/jobs?everybodys=true")):
        assert problem(await client.request(method, path)) == (404, "not-found")
    assert (await client.get("/jobs")).json()["jobs"] == []
    edge.principal = Principal("eve", frozenset({Role.ANALYST}))
    assert (await client.get(place)).status_code == 200
    assert problem(await client.delete(place)) == (404, "not-found")
    assert len((await client.get("/jobs?everybodys=true")).json()["jobs"]) == 1
    edge.principal = Principal("root", frozenset({Role.OPERATOR}))
    assert (await client.delete(place)).json()["state"] == "cancelled"


async def test_the_result_is_sent_as_it_lies_on_disk_until_it_is_removed(client: httpx.AsyncClient, running: Bench) -> None:
    job = await handed_in(client)
    place = f"/jobs/{job['id']}"
    assert problem(await client.get(f"{place}/result")) == (409, "job-not-finished")
    succeeded(running, job["id"], b"prediction\n1.5\n")
    shown = (await client.get(place)).json()
    assert (shown["result"], shown["expires_at"], shown["model_version"]) == (f"{place}/result", "2025-08-01T00:00:00Z", "video_performance@1")
    result = await client.get(shown["result"])
    assert (result.content, result.headers["content-type"]) == (b"prediction\n1.5\n", "text/csv; charset=utf-8")
    assert f'filename="predictions-{job["id"]}.csv"' in result.headers["content-disposition"]
    assert (await client.delete(place)).json()["state"] == "expired"
    assert problem(await client.get(f"{place}/result")) == (410, "result-gone")
    assert files(running) == []


async def test_pages_go_on_where_the_one_before_ended(client: httpx.AsyncClient) -> None:
    ids = [(await handed_in(client))["id"] for _ in range(OPEN_JOBS)]
    first = (await client.get("/jobs?limit=2")).json()
    rest = (await client.get(f"/jobs?limit=2&cursor={first['next_cursor']}")).json()
    assert [job["id"] for job in first["jobs"] + rest["jobs"]] == ids[::-1]
    assert rest["next_cursor"] is None
    assert problem(await client.get("/jobs?cursor=AAAA")) == (422, "invalid-request")


async def test_without_postgres_nothing_is_kept_and_the_caller_may_come_again(
    client: httpx.AsyncClient, running: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.jobs.away = True
    assert problem(await client.post("/jobs/predictions", content=BODY, headers=CSV)) == (503, "unavailable")
    running.jobs.away = False

    async def away(_job: Any) -> Any:
        running.jobs.away = True
        running.jobs.answer()

    monkeypatch.setattr(running.jobs, "add", away)
    assert problem(await client.post("/jobs/predictions", content=BODY, headers=CSV)) == (503, "unavailable")
    assert files(running) == []


async def test_an_upload_that_breaks_off_leaves_nothing(client: httpx.AsyncClient, running: Bench) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"hour\n1\n"
        raise ConnectionResetError

    answer = await client.post("/jobs/predictions", content=broken(), headers=CSV)
    assert answer.status_code >= 400  # told to nobody: the connection is gone
    assert (files(running), running.jobs.rows) == ([], {})


async def test_rows_of_another_model_are_taken_but_no_catalogue_of_it(client: httpx.AsyncClient, running: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    flats = tabular_spec(parse_spec(WHOLE, folder="flats"))
    assert isinstance(running.serving.specs, dict)
    monkeypatch.setitem(running.serving.specs, "flats", flats)
    answer = await client.post("/jobs/predictions?model=flats", content=b"listing_id,area\nl1,50\n", headers=CSV)
    assert (answer.status_code, answer.json()["model"]) == (202, "flats")
    refused = await client.post("/jobs/predictions?model=flats", json={"table": "videos"})
    assert problem(refused) == (422, "invalid-request")
    assert "are sent as JSON lines, CSV or Parquet" in refused.json()["detail"]
