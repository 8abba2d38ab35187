"""What serving says and hears over HTTP. Units: probabilities in [0, 1], scores and percentiles 0-100, times in seconds, instants in UTC."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

from evergreen.contracts.limits import MAX_FEATURES, MAX_TEXT

_UNFIT = re.compile("\x00")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _storable(value: str) -> str:
    """NUL has no place in Postgres: refused here, it cannot become a poison message later."""
    if _UNFIT.search(value):
        raise ValueError("NUL characters are not allowed")
    return value


def _written_out(value: Any) -> Any:
    """Pydantic takes a number, and its digits as text, for seconds since 1970: `to=0` would ask for 1970 instead of being told that it is no day."""
    if value is None or isinstance(value, date) or (isinstance(value, str) and _DAY.match(value)):
        return value
    raise ValueError("write it out: 2025-07-24, and an instant as 2025-07-24T09:00:00Z")


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


JSON_WHOLE = BeforeValidator(_whole)
"""After a StrictInt and its bounds: takes 10.0 too, which is an integer by JSON Schema, and still no text."""
Instant = Annotated[AwareDatetime, BeforeValidator(_written_out)]
Day = Annotated[date, BeforeValidator(_written_out)]
Text = Annotated[StrictStr, Field(max_length=MAX_TEXT, json_schema_extra={"pattern": r"^[^\x00]*$"}), AfterValidator(_storable)]
Number = Annotated[StrictFloat, Field(allow_inf_nan=False)]
WholeNumber = Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
Value = StrictBool | WholeNumber | Number | Text | None
"""A feature or an outcome's field. Null is the same as leaving it out: not known."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Named = Annotated[dict[Name, Value], Field(max_length=MAX_FEATURES, json_schema_extra={"additionalProperties": False})]
"""Values by name. Pydantic refuses other names and does not say so in the schema."""
VideoId = Annotated[str, Field(pattern=r"^[!-~]{1,64}$", examples=["dQw4w9WgXcQ"])]
Entity = Annotated[str, Field(pattern=r"^[!-~]{1,128}$", examples=["order-1842"])]
ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["video_performance"])]

BloomStatus = Literal["probably seen in the last 7 days", "not seen in the last 7 days", "unknown"]
"""The first may be wrong in 1 of 100 cases, the second never is. Unknown: Redis does not answer."""


class Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class PredictVideoRequest(Body):
    video_id: VideoId
    features: Named | None = Field(
        default=None,
        description="What is known of the video, any subset: `title`, `published_at`, `list_date`, `category_id`, `channel_id`, `view_count` … "
        "Left out: the feature store's. Ratios and calendar features are derived.",
        examples=[{"title": "여름 브이로그", "category_id": 22, "published_at": "2025-07-24T09:00:00Z", "list_date": "2025-07-25", "tag_count": 12}],
    )


class ViewInterval(Body):
    lower: int
    upper: int
    coverage: float


class KeyFactor(Body):
    feature: str
    value: float
    weight: float


class VideoPrediction(BaseModel):
    """Every field of one version of the model. `cached`, `processing_time` and `prediction_id` are the only ones a cache changes."""

    model_config = ConfigDict(protected_namespaces=())

    video_id: str
    prediction_id: str = Field(description="Names this answer in the prediction log; give it back with the feedback")
    model_version: str = Field(examples=["video_performance@3"])
    epoch: int = Field(description="How often the champion has changed; one answer comes from one epoch")
    prediction: float = Field(description="log10 of the views at first listing")
    prediction_lower: float
    prediction_upper: float
    predicted_views: int
    interval: ViewInterval
    confidence: float = Field(ge=0, le=1, description="Chance that the true views lie within a factor of two")
    performance_score: float = Field(ge=0, le=100, description="Predicted percentile in its category, 100 = best")
    percentile: float = Field(ge=0, le=100, description="'top x %' = 100 - performance_score")
    viral_probability: float = Field(ge=0, le=1, description="Chance of the top quartile of views")
    trend_prediction: Literal["rising", "steady", "falling"] | None
    growth_potential: Literal["low", "medium", "high"] | None
    predicted_growth: float | None
    still_listed_probability: float | None
    view_count: int | None
    like_count: int | None
    comment_count: int | None
    engagement_rate: float | None
    key_factors: list[KeyFactor]
    features_used: list[str]
    features_imputed: list[str]
    features_ignored: list[str] = Field(description="Given, but no feature or fact of this model")
    features_as_of: datetime | None = Field(description="Of stored features; null when the request brought its own")
    bloom_filter_status: BloomStatus
    cached: bool
    degraded: bool
    degraded_reasons: list[str] = Field(
        description="Closed list: cache_unavailable, seen_index_unavailable, features_unavailable, features_stale, model_failed. "
        "After features_unavailable with `features_as_of`, and after model_failed, the answer is what the same version said a while ago"
    )
    processing_time: float = Field(ge=0, description="Seconds")


class FeedbackRequest(Body):
    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["video_id"]}, {"required": ["entity"]}]})

    model: ModelName | None = Field(default=None, description="Default: the video model")
    video_id: VideoId = Field(default_factory=str)
    entity: Entity = Field(default_factory=str, description="Of whom the outcome is, for any model; instead of `video_id`")
    prediction_id: Annotated[str, Field(pattern=r"^[!-~]{1,64}$")] | None = None
    outcome: Annotated[Named, Field(min_length=1)] = Field(examples=[{"view_count": 152340}])

    @model_validator(mode="after")
    def _of_one(self) -> FeedbackRequest:
        if bool(self.video_id) == bool(self.entity):
            raise ValueError("say of whom the outcome is: `video_id` or `entity`, one of them")
        return self


class FeedbackAccepted(Body):
    id: str = Field(description="Of the event on prediction.feedback; the same for a repeated Idempotency-Key")
    status: Literal["accepted"] = "accepted"


class CacheCleared(Body):
    model: str
    generation: int = Field(description="How often the model's answers were cleared")


class FieldFault(Body):
    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457. `type` is stable: test for it, not for the text."""

    type: str = Field(examples=["urn:evergreen:problem:unknown-video"])
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FieldFault] | None = None


class Alive(Body):
    status: Literal["alive"] = "alive"


class Served(Body):
    version: int
    epoch: int


class Ready(Body):
    status: Literal["ready"] = "ready"
    worker: str
    models: dict[str, Served] = Field(description="What this worker answers with; empty until a first champion is deployed")


class ModelState(Body):
    model: str
    version: str | None
    epoch: int | None
    since: AwareDatetime | None = Field(description="Platform time")
    stable: bool | None
    previous_version: str | None
    workers: dict[str, str] = Field(description="Live serving workers and the version each answers with")


class ModelList(Body):
    models: list[ModelState]


class Deployment(Body):
    id: str
    version: str
    previous_version: str | None
    kind: str
    status: str
    epoch: int | None
    forced: bool
    reason: str
    served_from: AwareDatetime | None
    served_to: AwareDatetime | None
    stable_from: AwareDatetime | None
    error: str | None
    action_id: str | None


class DeploymentPage(Body):
    model: str
    deployments: list[Deployment]
    next_cursor: str | None
