"""What the catalogue holds, its rankings and movers, and what a prediction rests on: over HTTP, on twins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from evergreen.contracts.api_catalogue import CataloguePage, MoverPage, PredictionExplanation, RankingPage
from evergreen.core.access import Role
from evergreen.domains.videos.answers import score_of
from evergreen.ports.model import Rows
from evergreen.ports.serving import StoredFeatures
from tests.support.serving_bench import NOW, SPEC, Bench, Plain

pytestmark = pytest.mark.anyio
DAY = date(2025, 7, 20)
AS_OF = datetime(2025, 7, 20, tzinfo=UTC)


def fill(bench: Bench) -> None:
    for number in range(60):
        more: dict[str, Any] = {"category_id": (10, 20, 99)[number % 3], "first_view_count": 10 ** (3 + number % 3 * 2), "view_count": 10**8 + number}
        published = datetime(2025, 7, 20, number % 3, tzinfo=UTC)
        bench.videos.put(f"v{number:02}", "<b>a</b>", DAY + timedelta(days=number % 6), DAY + timedelta(days=7), published_at=published, **more)


async def test_the_catalogue_says_which_days_and_categories_there_are(client: httpx.AsyncClient, bench: Bench) -> None:
    nothing = CataloguePage.model_validate_json((await client.get("/catalogue")).content)
    assert (nothing.first_day, nothing.last_day, nothing.videos, nothing.categories, nothing.today) == (None, None, 0, [], NOW.date())
    fill(bench)
    bench.generations.follow({"features": 1})
    page = CataloguePage.model_validate_json((await client.get("/catalogue")).content)
    assert (page.first_day, page.last_day, page.videos) == (DAY, DAY + timedelta(days=5), 60)
    assert [(one.category_id, one.name_ko, one.name_en, one.n) for one in page.categories] == [
        (10, "음악", "Music", 20),
        (20, "게임", "Gaming", 20),
        (99, None, None, 20),
    ]


async def test_what_the_catalogue_holds_is_counted_once_until_a_batch_is_indexed(client: httpx.AsyncClient, bench: Bench) -> None:
    fill(bench)
    await client.get("/catalogue")
    bench.videos.put("more", "a", DAY, category_id=10)
    assert (await client.get("/catalogue")).json()["videos"] == 60
    bench.generations.follow({"features": 2})
    assert (await client.get("/catalogue")).json()["videos"] == 61


async def test_rankings_are_of_categories_and_of_hours_on_the_champions_scale(client: httpx.AsyncClient, bench: Bench) -> None:
    fill(bench)
    page = RankingPage.model_validate_json((await client.get("/rankings", params={"threshold": 50})).content)
    assert [(one.category_id, one.n, one.share_above) for one in page.categories] == [(99, 20, 1.0), (20, 20, 1.0), (10, 20, 0.0)]
    assert [one.hour for one in page.hours] == [11, 10, 9]  # in Seoul
    assert page.model_version == f"{SPEC.name}@1"
    assert all(one.low <= one.mean <= one.high for one in (*page.categories, *page.hours))
    few = (await client.get("/rankings", params={"category": [10], "from": str(DAY), "to": str(DAY)})).json()
    assert [(one["category_id"], one["n"]) for one in few["categories"]] == [(10, 10)]


async def test_movers_say_how_much_they_gained(client: httpx.AsyncClient, bench: Bench) -> None:
    fill(bench)
    page = MoverPage.model_validate_json((await client.get("/movers", params={"limit": 2})).content)
    assert [one.video_id for one in page.movers] == ["v59", "v53"]
    first = page.movers[0]
    assert (first.title, first.days, first.gained_per_day, first.growth) == ("<b>a</b>", 2, (10**8 + 59 - 10**7) / 2, (10**8 + 59 - 10**7) / 10**7)


async def test_without_a_champion_movers_are_told_and_rankings_are_not(bench: Bench) -> None:
    fill(bench)
    async with bench.client() as client:
        assert (await client.get("/movers")).status_code == 200
        answer = await client.get("/rankings")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:evergreen:problem:no-champion")


@pytest.mark.parametrize("path", ["/catalogue", "/rankings", "/movers"])
async def test_without_postgres_they_say_when_to_come_back(client: httpx.AsyncClient, bench: Bench, path: str) -> None:
    bench.videos.away = True
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize(
    "path", ["/rankings?from=2025-07-02&to=2025-07-01", "/rankings?threshold=101", "/movers?limit=0", "/movers?limit=51", "/movers?metric=views"]
)
async def test_filters_that_mean_nothing_are_refused(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 422


@pytest.mark.parametrize("path", ["/catalogue", "/rankings", "/movers"])
async def test_a_user_of_an_application_does_not_read_them(bench: Bench, path: str) -> None:
    async with bench.client(Role.USER) as client:
        assert (await client.get(path)).status_code == 403


class Adding(Plain):
    """Says the sum of two features."""

    calls: int = 0

    def answer(self, requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
        assert rows is not None or requests
        type(self).calls += 1
        if rows is None:
            return super().answer(requests)
        return [self._of(request, row) for request, row in zip(requests, rows, strict=True)]

    def _of(self, request: Mapping[str, Any], row: Mapping[str, float]) -> dict[str, Any]:
        said = row.get("title_length", 0.0) / 10 + row.get("tag_count", 0.0)
        score = score_of(said, {"category_id": math.nan}, {"*": [step / 5 for step in range(41)]})
        return self._one(request) | {"prediction": said, "prediction_lower": said - 0.5, "prediction_upper": said + 0.5, "performance_score": score}


async def test_each_feature_is_told_by_what_its_usual_value_would_change_in_one_call(client: httpx.AsyncClient, bench: Bench) -> None:
    bench.versions[2] = Adding(2)
    bench.features.known[(SPEC.name, "v")] = StoredFeatures({"title_length": 20.0, "tag_count": 2.5, "description_length": 7.0}, AS_OF)
    await bench.deployed(2)
    Adding.calls = 0
    found = PredictionExplanation.model_validate_json((await client.post("/predict/video/explanation", json={"video_id": "v"})).content)
    assert Adding.calls == 1
    assert [(one.feature, one.value, one.usual, round(one.log_views, 9)) for one in found.effects or []] == [
        ("title_length", 20, 10, 1.0),
        ("tag_count", 2.5, 3, -0.5),
    ]
    assert [round(one.factor, 6) for one in found.effects or []] == [10.0, 0.316228]
    assert (found.prediction, found.performance_score, found.score_interval.lower, found.score_interval.upper) == (4.5, 56.25, 50.0, 62.5)
    assert (found.model_version, found.features_as_of) == (f"{SPEC.name}@2", AS_OF)


async def test_given_features_are_explained_and_a_version_without_usual_values_says_so(client: httpx.AsyncClient, bench: Bench) -> None:
    asked = {"video_id": "new", "features": {"title": "abc", "nonsense": 1}}
    found = (await client.post("/predict/video/explanation", json=asked)).json()
    assert (found["effects"], found["features_as_of"]) == ([], None)  # the plain model answers the same whatever it is asked
    bench.usual.clear()
    await bench.deployed(2)
    assert (await client.post("/predict/video/explanation", json=asked)).json()["effects"] is None


async def test_what_cannot_be_predicted_is_not_explained(client: httpx.AsyncClient, bench: Bench) -> None:
    answer = await client.post("/predict/video/explanation", json={"video_id": "stranger"})
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:evergreen:problem:unknown-video")
    model = bench.versions[1]
    assert isinstance(model, Plain)
    model.breaks = True
    answer = await client.post("/predict/video/explanation", json={"video_id": "v", "features": {"title": "a"}})
    assert (answer.status_code, "secret" in answer.text) == (503, False)
