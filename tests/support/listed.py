"""Lists as the recommender worker writes them, and a version that can make them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from evergreen.core.recommending import MODEL
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.recommending import Ranker
from evergreen.ports.serving import Champion, LoadedModel
from tests.support.tiny_ranker import TinyRanker

MADE = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
VERSION = "movie_recommender@1"


def list_body(user: str, number: int, items: int = 10, *, as_of: str | None = None, version: str = VERSION, filler: str = "") -> bytes:
    """The user's `number`-th: it reflects interaction `number`."""
    listed = [{"item_id": f"m{at}", "title": f"Movie {at}{filler}", "score": round(1 - at / 100, 2), "reason": "popular now"} for at in range(items)]
    about = {"user_id": user, "as_of": as_of if as_of is not None else f"interactions:0:{number}", "version": version, "made": MADE.isoformat()}
    return json.dumps({**about, "items": listed}).encode()


def number_of(told: Mapping[str, Any]) -> int:
    """Of a list as it was given."""
    return int(str(told["as_of"]).rpartition(":")[2])


class Ranking:
    """What answers for a version of the recommender."""

    def __init__(self, size: int = 200) -> None:
        self._size = size

    def answer(self, requests: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, float]] | None = None) -> list[dict[str, Any]]:
        return [{"prediction": 0.5, "prediction_lower": 0.0, "prediction_upper": 1.0} for _ in requests]

    def ranker(self, version: str) -> Ranker:
        return TinyRanker(self._size, version)


def champion(version: int = 1, size: int = 200) -> Champion:
    spec = replace(video_spec("KR"), name=MODEL)
    return Champion(LoadedModel(spec, version, Ranking(size), "0" * 16, lambda matrix: np.full(len(matrix), 0.5)), version)
