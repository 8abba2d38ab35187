"""Bodies of `POST /predict/batch`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from evergreen.contracts.api import Body, VideoPrediction

MAX_ITEMS = 256


class PredictBatchRequest(Body):
    items: Annotated[list[Any], Field(min_length=1, max_length=MAX_ITEMS)] = Field(
        description="Each as the body of `/predict/video`; one that cannot be used fails alone, in its place",
        examples=[[{"video_id": "dQw4w9WgXcQ"}, {"video_id": "new", "features": {"title": "여름 브이로그", "category_id": 22}}]],
    )


class ItemProblem(BaseModel):
    """Why there is no prediction in this place: what `/predict/video` would have said. `type` is stable."""

    type: str = Field(examples=["urn:evergreen:problem:unknown-video"])
    title: str
    status: int
    detail: str


class BatchItem(BaseModel):
    """One of the two is null."""

    video_id: str | None
    prediction: VideoPrediction | None
    error: ItemProblem | None


class BatchPrediction(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    model_version: str = Field(examples=["video_performance@3"], description="All predictions of one batch come from one version")
    epoch: int
    predictions: list[BatchItem] = Field(description="In the order of `items`")
    failed: int = Field(description="How many places hold an error")
    degraded: bool = Field(description="At least one prediction is degraded, or a part did not answer")
    processing_time: float = Field(ge=0, description="Seconds")
