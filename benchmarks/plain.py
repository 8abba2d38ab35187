"""How a model is put behind FastAPI by the book: pydantic bodies, a data frame, the pipeline's own `predict`. `python -m benchmarks.plain PORT VERSION`."""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from evergreen.adapters import artifacts
from evergreen.domains.videos.spec import video_spec
from evergreen.settings import load_settings

SPEC = video_spec("KR")


class Split(BaseModel):
    columns: list[str]
    data: list[list[float | None]]


class Scored(BaseModel):
    dataframe_split: Split


class Video(BaseModel):
    video_id: str
    features: dict[str, Any]


class Scores(BaseModel):
    predictions: list[float]


def create_app(version: int) -> FastAPI:
    settings = load_settings()
    folder = settings.home / "data" / "models" / SPEC.name / str(version)
    estimators, card = artifacts.load_verified(folder, SPEC.trusted_types, artifacts.signing_key(settings.signing_key.get_secret_value()))
    pipeline, predictor = estimators["primary"], SPEC.predictor(estimators, card)
    app = FastAPI()

    @app.post("/invocations")
    def invocations(asked: Scored) -> Scores:
        frame = pd.DataFrame(asked.dataframe_split.data, columns=asked.dataframe_split.columns, dtype="float64")
        return Scores(predictions=pipeline.predict(frame).tolist())

    @app.post("/predict/video")
    def video(asked: Video) -> dict[str, Any]:
        return predictor.answer([asked.features])[0]

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(int(sys.argv[2])), port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
