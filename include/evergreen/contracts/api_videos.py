"""The catalogue over HTTP: search, one video, distributions, the seen index. Units as in `contracts.api`; days are list days."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StrictInt, StringConstraints

from evergreen.contracts.api import JSON_WHOLE, Body, Day, KeyFactor, VideoId, ViewInterval

MAX_LIMIT = 100
LONGEST_KEYWORD = 200
MOST_CATEGORIES = 50

Words = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_KEYWORD, pattern=r"^[^\x00]*$")]
SearchLimit = Annotated[StrictInt, Field(ge=1, le=MAX_LIMIT), JSON_WHOLE]
Cursor = Annotated[str | None, Field(max_length=500, description="`next_cursor` of the page before")]


class SearchKeywordRequest(Body):
    keyword: Words = Field(description="Anywhere in title or description; case does not matter, every character stands for itself", examples=["여행"])
    limit: SearchLimit = 10
    cursor: Cursor = None


class SearchChannelRequest(Body):
    channel: Words = Field(description="A channel's id, or any part of its name", examples=["UC_x5XG1OV2P6uZZ5FSM9Ttw"])
    limit: SearchLimit = 10
    cursor: Cursor = None


class SearchPrediction(Body):
    """The model's answer, as `POST /predict/video` gives it for the same stored features."""

    prediction: float = Field(description="log10 of the views at first listing")
    prediction_lower: float
    prediction_upper: float
    predicted_views: int
    interval: ViewInterval
    confidence: float = Field(ge=0, le=1)
    performance_score: float = Field(ge=0, le=100)
    percentile: float = Field(ge=0, le=100)
    viral_probability: float = Field(ge=0, le=1)
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


class CatalogueEntry(Body):
    video_id: str
    title: str
    channel_id: str | None
    channel_title: str | None
    category_id: int | None
    published_at: AwareDatetime | None
    duration: float | None = Field(description="Seconds")
    view_count: int | None
    like_count: int | None
    comment_count: int | None
    engagement_rate: float | None = Field(description="(likes + comments) / views")
    region: str
    first_seen: date
    last_seen: date


class FoundVideo(CatalogueEntry):
    prediction: SearchPrediction | None = Field(description="Null: nothing is known to predict from, or the page is `degraded`")


class SearchPage(Body):
    results: list[FoundVideo] = Field(description="Most views first, unknown views last, then by id")
    total_count: int = Field(ge=0, description="Of all pages")
    next_cursor: str | None
    model_version: str | None = Field(description="That made every prediction of the page")
    cached: bool
    degraded: bool
    degraded_reasons: list[str] = Field(description="Closed list: no_champion, features_unavailable, model_failed")
    processing_time: float = Field(ge=0, description="Seconds")


class KeywordPage(SearchPage):
    keyword: str


class ChannelPage(SearchPage):
    channel: str


class VideoDetail(CatalogueEntry):
    description: str | None
    tags: list[str]
    first_view_count: int | None = Field(description="Views with which it was first listed")
    features: dict[str, Any] | None = Field(description="What a prediction without given features rests on; null: nothing is stored")
    features_as_of: AwareDatetime | None


Days = Annotated[int, Field(ge=1, le=7)]


class PartFilter(Body):
    """Unknown parameters are refused: a mistyped filter must not look like one that matched everything."""

    first_day: Day | None = Field(default=None, alias="from", description="Videos first listed from this day on; left out: from the beginning")
    last_day: Day | None = Field(default=None, alias="to", description="Up to this day, included; left out: to the end")
    category: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(max_length=MOST_CATEGORIES)] = Field(
        default_factory=list, description="YouTube's category id; repeat it for several; none: all"
    )


class SpreadFilter(PartFilter):
    metric: Literal["engagement", "performance"] = "performance"
    threshold: Annotated[float | None, Field(ge=0, le=100, allow_inf_nan=False)] = Field(
        default=None, description="In the metric's unit. Default: 90 for performance, none for engagement"
    )


class CategoryShare(Body):
    category_id: int
    name_ko: str | None
    name_en: str | None
    n: int


class SpreadPage(Body):
    """`x`, `cdf`, `pdf` have one length; all empty without videos."""

    metric: Literal["engagement", "performance"]
    first_day: date | None
    last_day: date | None
    n: int = Field(ge=0, description="Videos whose counts are known")
    x: list[float] = Field(description="Even steps from 0: engagement as a ratio, up to where 99.5 % of the videos are (the rest lies in the last step)")
    cdf: list[float] = Field(description="Share of the videos up to x, from 0 to 1")
    pdf: list[float] = Field(description="Density at x; its area by the trapezoid rule is 1")
    threshold: float | None
    share_above: float | None = Field(description="Share of the videos from the threshold on")
    mean: float | None
    median: float | None
    categories: list[CategoryShare] = Field(description="Of the videos counted, most first")
    model_version: str | None = Field(description="Whose training data is the scale of performance")


class SeenAnswer(Body):
    video_id: VideoId
    days: int
    status: str = Field(examples=["not seen in the last 7 days", "probably seen in the last 7 days"])
    certain: bool = Field(description="`not seen` is, `probably seen` is not")


class SeenIndexStats(Body):
    total_filters: int = Field(description="Of the last seven days; a day without lists has none")
    total_capacity: int = Field(description="Items")
    estimated_items: int
    false_positive_rate: float = Field(ge=0, le=1, description="Measured, of the union over the window")
    bits: int
    ready: bool = Field(description="False: the index is being rebuilt and answers `probably` to everything")
