"""The recommender's story on the whole stack: people are loaded, a version is trained, judged and promoted, and a click changes the next list."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from queue import Queue
from typing import Any

import httpx
import pytest

from evergreen.core.access import Role
from tests.support.lived import Lived

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def asking(movies: Lived) -> Iterator[httpx.Client]:
    """An application."""
    with httpx.Client(base_url=movies.serving, timeout=20, headers=movies.headers(Role.SERVICE)) as client:
        yield client


def listed(asking: httpx.Client, user: str, **asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = asking.get(f"/recommendations/{user}", params={"k": 20, **asked}).raise_for_status().json()
    return found


def items(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def test_the_first_version_beat_what_is_popular_and_serves(movies: Lived, asking: httpx.Client) -> None:
    [(card,)] = movies.ask("SELECT scorecard FROM model_versions WHERE model = 'movie_recommender' AND version = 1")
    assert all(gate["passed"] for gate in card["gates"])
    assert "improvement" in {gate["name"] for gate in card["gates"]}
    [model] = [one for one in asking.get("/models").json()["models"] if one["model"] == "movie_recommender"]
    assert model["version"] == "movie_recommender@1"


def test_lists_are_of_one_person_and_have_reasons(asking: httpx.Client) -> None:
    """Of people known from what was loaded."""
    known = [user["user_id"] for user in asking.get("/profiles").raise_for_status().json()["users"] if user["user_id"] != "newcomer"]
    one, other = (listed(asking, user) for user in known[-2:])
    assert len(set(items(one))) == len(one["items"]) == 20
    assert items(one) != items(other)
    assert all(item["reason"] and item["title"] for item in one["items"])
    assert one["model_version"] == "movie_recommender@1"
    assert not one["degraded"]


def test_a_click_changes_the_next_list_and_is_pushed(asking: httpx.Client) -> None:
    first = listed(asking, "newcomer")
    liked = items(first)[:3]
    heard: Queue[dict[str, Any]] = Queue()
    listening = threading.Thread(target=_listen, args=(asking, "newcomer", heard), daemon=True)
    listening.start()
    for item in liked:
        told = asking.post("/interactions", json={"user_id": "newcomer", "interaction_type": "like", "item_ids": [item]}).raise_for_status().json()
    after = listed(asking, "newcomer", as_of=told["as_of"])
    assert after["reflected"]
    assert items(after) != items(first)
    assert not set(liked) & set(items(after))
    while set(liked) & set(items(pushed := heard.get(timeout=20))):
        pass
    assert items(pushed) == items(after)[:10]
    assert any("because" in item["reason"] for item in after["items"])


def _listen(asking: httpx.Client, user: str, heard: Queue[dict[str, Any]]) -> None:
    with asking.stream("GET", f"/recommendations/{user}/stream", params={"seconds": 30}, timeout=40) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                heard.put(json.loads(line[6:]))
