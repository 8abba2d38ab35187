"""What a caller is told of a part that is away."""

from __future__ import annotations

import json

from evergreen.core.errors import NoChampion, Unavailable
from serving.problems import problem_of

INSIDE = 'connection to server at "10.0.0.5", port 5432 failed: password authentication failed for user "app_rw"'


def test_addresses_and_words_of_libraries_stay_inside() -> None:
    error = Unavailable("Postgres does not answer", inside=INSIDE)
    reply = problem_of(error, path="/models", request_id="r")
    assert (reply.status, json.loads(reply.body)["detail"]) == (503, "Postgres does not answer")
    assert str(error) == f"Postgres does not answer: {INSIDE}"


def test_what_was_said_for_callers_is_told_whole() -> None:
    reply = problem_of(NoChampion("no version of flats serves yet"), path="/", request_id="r")
    assert json.loads(reply.body)["detail"] == "no version of flats serves yet"
