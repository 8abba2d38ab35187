"""Recorded requests as the gates read them: newest first, one per entity, of one version, nothing younger than asked for."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.core.errors import Unavailable
from evergreen.core.release import released_at
from evergreen.domains.videos.simulator import simulate
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.index import PredictionRow
from evergreen.ports.traffic import RecordedRequest
from evergreen.services.candidates import Origin, new_version
from evergreen.services.gates_served import replay
from evergreen.services.training import train_candidate

pytestmark = pytest.mark.connected
NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


def _row(number: int, *, entity: str | None, version: int = 1, age: timedelta = timedelta()) -> PredictionRow:
    rest: dict[str, Any] = {"answer": {}, "latency_seconds": 0.001, "cached": False, "shadow_version": None, "shadow_predicted": None}
    return PredictionRow("/serving/x", f"e{number}", NOW - age, f"p{number}", "tiny", version, entity, {"x": number}, 1.0, 0.5, 1.5, **rest)


def test_newest_first_one_per_entity_of_one_version(store: PostgresStore) -> None:
    minutes = [timedelta(minutes=number) for number in range(10)]
    rows = [
        *(_row(number, entity="same", age=minutes[number]) for number in range(3)),
        _row(3, entity="other", age=minutes[3]),
        *(_row(number, entity=None, age=minutes[number]) for number in (4, 5)),
        _row(6, entity="previous", version=2, age=minutes[6]),
        _row(7, entity="too-young", age=-minutes[1]),
    ]
    with store.transaction() as tx:
        tx.stream.predictions(rows)
        found = tx.traffic.newest("tiny", 1, until=NOW, limit=3)
        assert tx.traffic.newest("tiny", 3, until=NOW, limit=3) == []
    assert found == [RecordedRequest(f"p{number}", {"x": number}, 1.0, 0.5, 1.5) for number in (0, 3, 4)]


def test_while_postgres_is_away_it_says_so() -> None:
    gone = PostgresStore("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable), gone.transaction() as tx:
        tx.traffic.newest("tiny", 1, until=NOW, limit=3)


def test_five_hundred_requests_are_asked_again_within_five_seconds(tmp_path: Path) -> None:
    spec, registry = video_spec(), MemoryRegistry(tmp_path)
    silver = simulate(date(2025, 2, 23), date(2025, 6, 1))
    candidate = train_candidate(spec, silver, released_at(date(2025, 6, 1)))
    registry.register(new_version(spec, candidate, Origin(None, "test", NOW), 0.1))  # type: ignore[arg-type]
    rows = candidate.train[list(spec.feature_names)].iloc[np.arange(497) % len(candidate.train)]
    features: list[dict[str, Any]] = [{str(name): value for name, value in row.items() if value == value} for row in rows.to_dict("records")]
    features += [{}, {"title": "\ud83d\ude00 새벽 \u202e", "category_id": 10.0}, {"title": "", "published_at": "2025-05-31T23:59:59Z"}]
    asked = [RecordedRequest(f"p{number}", given, 4.0, 3.0, 5.0) for number, given in enumerate(features)]
    compiled, loaded = registry.compiled(spec, 1), registry.load(spec, 1)
    assert spec.answers is not None
    for answering in (spec.answers(compiled.heads, compiled.card), loaded.predictor):
        begun = time.perf_counter()
        found = replay(answering, asked)
        assert time.perf_counter() - begun < 5.0
        assert (found.asked, found.failed, found.first_failure, found.comparable) == (500, 0, "", 500)
