"""The application of a declared model: what it sends, and what it makes of the answers."""

from __future__ import annotations

import json

import httpx
import pandas as pd

from evergreen.adapters.tabular_client import TabularClient
from evergreen.domains.tabular.app import TabularApp
from evergreen.domains.tabular.spec_file import parse_spec

FLATS = parse_spec(
    'name = "flats"\nkind = "classification"\n[time]\ncolumn = "when"\n[target]\ncolumn = "sold"\nclasses = ["no", "yes"]\n[entity]\ncolumn = "id"\n'
    '[numbers.area]\nmin = 0\n[categories.district]\nvalues = ["north"]\n',
    folder="flats",
)


def rows(*areas: str, first: int = 0) -> pd.DataFrame:
    count = len(areas)
    named = [f"L{first + at}" for at in range(count)]
    return pd.DataFrame({"id": named, "when": ["2025-03-01"] * count, "sold": ["yes"] * count, "area": list(areas), "district": ["north"] * count})


def test_each_row_is_asked_for_once_and_told_in_the_datas_own_words() -> None:
    app = TabularApp(FLATS)
    fresh = app.first_listed(rows("80", "-1", "70").assign(sold=["yes", "no", ""]))
    assert list(fresh["id"]) == ["L0", "L2"], "serving is not asked for a row that is set aside"
    first, third = ({str(name): value for name, value in row.items()} for row in fresh.to_dict("records"))
    assert app.request(first) == {"id": "L0", "area": 80.0, "district": "north"}
    assert app.outcome(first) == {"model": "flats", "entity": "L0", "outcome": {"sold": "yes"}}
    assert app.outcome(third) is None, "not known yet"
    assert list(app.first_listed(rows("80", "60", first=0))["id"]) == ["L1"]
    assert app.first_listed(rows("80").assign(when="soon")).empty


def test_many_rows_are_one_question_and_an_unfit_one_counts_as_not_asked() -> None:
    asked: list[int] = []

    def serving(request: httpx.Request) -> httpx.Response:
        records = json.loads(request.content)["dataframe_records"]
        asked.append(len(records))
        assert request.url.path == "/models/flats/invocations"
        if len(asked) == 2:
            return httpx.Response(400, json={"message": "unfit"})
        return (
            httpx.Response(503) if len(asked) == 3 else httpx.Response(200, headers={"x-model-version": "flats@1"}, json={"predictions": [1.0] * len(records)})
        )

    with TabularClient("http://serving", lambda: "a.b.c", "flats", "id", transport=httpx.MockTransport(serving)) as client:
        answers = client.ask([{"id": f"L{at}", "area": 1.0} for at in range(500)])
    assert asked == [200, 200, 100]
    assert [None if answer is None else (answer.entity, answer.model_version) for answer in answers[:2]] == [("L0", "flats@1"), ("L1", "flats@1")]
    assert answers[200:] == [None] * 300


def test_an_outcome_is_told_once_under_its_entity() -> None:
    told: list[tuple[str, str]] = []

    def serving(request: httpx.Request) -> httpx.Response:
        told.append((request.headers["idempotency-key"], json.loads(request.content)["entity"]))
        return httpx.Response(202)

    with TabularClient("http://serving", lambda: "a.b.c", "flats", "id", transport=httpx.MockTransport(serving)) as client:
        client.tell([{"model": "flats", "entity": "L1", "outcome": {"sold": "yes"}}])
    assert told == [("feedback-L1", "L1")]
