"""Bodies of `/models/{m}/candidates`: models trained elsewhere."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictStr

from evergreen.contracts.api import Body, Day, Text

_NAME = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_URI = f"^(models:/m-[0-9a-f]{{32}}|models:/{_NAME}/[1-9][0-9]{{0,8}}|models:/{_NAME}@{_NAME}|runs:/[0-9a-f]{{32}}/{_NAME}(/{_NAME}){{0,4}})$"
"""For those who read the document; `core.submission` decides, and says what is taken instead."""


class CandidateRequest(Body):
    uri: Annotated[StrictStr, Field(max_length=300, json_schema_extra={"pattern": _URI})] = Field(
        description="In this stack's MLflow: `models:/NAME/VERSION`, `models:/NAME@ALIAS`, `models:/m-ID` or `runs:/RUN_ID/PATH`. A scikit-learn model in "
        "skops format",
        examples=["models:/video_performance/12", "runs:/0f6b7e1f6d9f4a7ab1c2d3e4f5061728/model"],
    )
    trained_to: Day = Field(description="The last day whose outcomes its author may have seen; the days after it judge the model")
    reason: Annotated[Text, Field(min_length=1, max_length=500)] = Field(description="Recorded with the version")


class CandidateAccepted(Body):
    action_id: UUID = Field(description="What becomes of it: `/actions/{id}/explain`")
