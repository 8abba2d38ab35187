"""Interactions as an application tells them: each user's in their order, a repeat under the same key, an unfit one left out."""

from __future__ import annotations

import json

import httpx

from evergreen.adapters.interactions_client import InteractionsClient


def told(user: str, movie: int) -> dict[str, object]:
    return {"key": f"{user}-{movie}", "body": {"user_id": user, "interaction_type": "like", "item_ids": [str(movie)], "context": {}}}


def test_each_users_interactions_come_in_their_order_and_busy_is_asked_again() -> None:
    heard: list[tuple[str, str, str]] = []
    busy = {"a-1", "b-2"}

    def serve(request: httpx.Request) -> httpx.Response:
        body, key = json.loads(request.content), request.headers["Idempotency-Key"]
        assert (request.url.path, request.headers["Authorization"]) == ("/interactions", "Bearer t")
        if key in busy:
            busy.discard(key)
            return httpx.Response(503, headers={"Retry-After": "0"})
        if body["item_ids"] == ["3"]:
            return httpx.Response(422, text="unfit")
        heard.append((body["user_id"], body["item_ids"][0], key))
        return httpx.Response(202, json={"id": "x", "as_of": "interactions:0:1"})

    with InteractionsClient("http://serving", lambda: "t", httpx.MockTransport(serve)) as client:
        asked = [told("a", 1), told("b", 2), told("a", 3), told("a", 4), told("b", 5)]
        assert client.ask(asked) == [None] * 5
        client.tell([])
    assert [one for one in heard if one[0] == "a"] == [("a", "1", "a-1"), ("a", "4", "a-4")]
    assert [one for one in heard if one[0] == "b"] == [("b", "2", "b-2"), ("b", "5", "b-5")]
