"""What Schemathesis found, in small: each was answered otherwise than the document says."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import TypeAdapter, ValidationError

from evergreen.contracts.api import Day, Instant
from evergreen.contracts.api_jobs import TableJob
from evergreen.contracts.api_videos import SearchKeywordRequest

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("said", ["0", "0.5", "1753347600", 0, 0.5, True], ids=repr)
def test_a_number_is_neither_a_day_nor_an_instant(said: Any) -> None:
    for kind in (Day, Instant):
        with pytest.raises(ValidationError, match="write it out"):
            TypeAdapter(kind).validate_python(said)


def test_days_and_instants_that_are_written_out_are_taken() -> None:
    assert TypeAdapter(Day).validate_python("2025-07-24") == date(2025, 7, 24)
    assert TypeAdapter(Instant).validate_python("2025-07-24T09:00:00Z").isoformat() == "2025-07-24T09:00:00+00:00"
    assert TableJob.model_validate_json('{"table": "videos", "seen_to": null}').seen_to is None


def test_ten_point_nought_is_the_integer_it_is_by_json_schema_and_text_is_none() -> None:
    assert SearchKeywordRequest.model_validate({"keyword": "a", "limit": 10.0}).limit == 10
    assert TableJob.model_validate_json('{"table": "videos", "limit": 2102.0, "category_ids": [1.0]}').category_ids == [1]
    for wrong in (10.5, "10", True, 101.0, float("inf")):
        with pytest.raises(ValidationError):
            SearchKeywordRequest.model_validate({"keyword": "a", "limit": wrong})


async def test_a_method_that_a_path_has_not_is_told_all_it_has(client: httpx.AsyncClient) -> None:
    refused = await client.request("PUT", f"/jobs/{uuid4()}")
    assert (refused.status_code, refused.headers["allow"]) == (405, "DELETE, GET")


async def test_the_place_jobs_are_handed_in_is_no_job(client: httpx.AsyncClient) -> None:
    refused = await client.get("/jobs/predictions")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert (await client.get("/jobs/1")).status_code == 404
