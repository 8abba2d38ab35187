"""What all systems are asked with: two versions of the video model, feature rows and questions, and what the pipeline says to them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.load import NUMBER
from evergreen.domains.videos.features import build_features
from evergreen.domains.videos.names import CHANNEL_FEATURES
from evergreen.domains.videos.simulator import simulate
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.model import FittedModel

SPEC = video_spec("KR")
FIRST_DAY, LAST_DAY = date(2025, 4, 1), date(2025, 6, 30)
SEED = 7
GIVEN = ("title", "category_id", "published_at", "tag_count", "description_length", "is_live", "view_count", "like_count", "comment_count")
ROWS = 1_000
"""Of a batch, and compared with the pipeline before anything is measured."""


@dataclass(frozen=True)
class Material:
    table: pd.DataFrame
    listed: pd.DataFrame
    """The same videos as they were first listed."""
    versions: Mapping[int, FittedModel]
    folder: Path

    @cached_property
    def frame(self) -> pd.DataFrame:
        """ROWS feature rows, as different from each other as the table's."""
        features = self.table[list(SPEC.feature_names)].astype("float64")
        return features.sample(ROWS, replace=len(features) < ROWS, random_state=SEED).reset_index(drop=True)

    @cached_property
    def questions(self) -> list[dict[str, Any]]:
        """What an application knows of as many videos: title, times, category, counts of the day, the channel's history."""
        known = self.listed.sample(ROWS, replace=len(self.listed) < ROWS, random_state=SEED)
        records: list[dict[str, Any]] = json.loads(known.to_json(orient="records", date_format="iso"))
        return [{name: value for name, value in record.items() if value is not None} for record in records]

    def predicted(self, version: int = 1) -> NDArray[np.float64]:
        """By the pipeline as it was trained."""
        return np.asarray(self.versions[version].estimators["primary"].predict(self.frame), dtype=np.float64)

    def answers(self, questions: Sequence[Mapping[str, Any]], version: int = 1) -> list[dict[str, Any]]:
        """All heads, by their pipelines."""
        fitted = self.versions[version]
        return list(SPEC.predictor(fitted.estimators, fitted.card).answer(questions))

    def bodies(self, name: str, lines: Iterator[bytes]) -> str:
        """A file of bodies for a `Load`."""
        file = self.folder / f"{name}.ndjson"
        if not file.exists():
            file.write_bytes(b"\n".join(lines))
        return str(file)

    @cached_property
    def single_rows(self) -> str:
        """One row each, as MLflow's protocol has them."""
        return self.bodies("single", (split_body([row]) for row in _values(self.frame)))

    @cached_property
    def batches(self) -> str:
        return self.bodies("batch", iter([split_body(_values(self.frame))]))

    @cached_property
    def videos(self) -> str:
        """Questions to /predict/video, each about a video nobody asked about before."""
        return self.bodies("videos", (video_body(NUMBER.decode(), question) for question in self.questions))

    def known_videos(self, name: str, count: int) -> str:
        """`count` questions that are the same each time."""
        return self.bodies(name, (video_body(f"{name}-{at}", self.questions[at % ROWS]) for at in range(count)))


def prepared(folder: Path) -> Material:
    """Deterministic."""
    silver = simulate(FIRST_DAY, LAST_DAY, 3)
    table = build_features(silver, "KR")
    history = table[["video_id", "list_date", *CHANNEL_FEATURES]]
    listed = silver[["video_id", "list_date", *GIVEN]].merge(history, on=["video_id", "list_date"]).drop(columns="video_id")
    versions = {1: SPEC.fit(table, 0), 2: SPEC.fit(table.tail(len(table) // 2), 0)}
    return Material(table, listed.assign(list_date=listed["list_date"].astype(str)), versions, folder)


def split_body(rows: Sequence[Sequence[float | None]]) -> bytes:
    return json.dumps({"dataframe_split": {"columns": list(SPEC.feature_names), "data": rows}}).encode()


def video_body(video_id: str, features: Mapping[str, Any]) -> bytes:
    return json.dumps({"video_id": video_id, "features": features}).encode()


def _values(frame: pd.DataFrame) -> list[list[float | None]]:
    return [[value if value == value else None for value in row] for row in frame.to_numpy().tolist()]
