"""Bodies of `/models/{m}/candidates`: models trained elsewhere."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from evergreen.contracts.api import Body, Day, Text


class CandidateRequest(Body):
    uri: Annotated[Text, Field(max_length=300, examples=["models:/video_performance/12", "runs:/0f6b7e1f6d9f4a7ab1c2d3e4f5061728/model"])] = Field(
        description="In this stack's MLflow: `models:/NAME/VERSION`, `models:/NAME@ALIAS`, `models:/m-ID` or `runs:/RUN_ID/PATH`. A scikit-learn model in "
        "skops format"
    )
    trained_to: Day = Field(description="The last day whose outcomes its author may have seen; the days after it judge the model")
    reason: Annotated[Text, Field(min_length=1, max_length=500)] = Field(description="Recorded with the version")


class CandidateAccepted(Body):
    action_id: UUID = Field(description="What becomes of it: `/actions/{id}/explain`")
