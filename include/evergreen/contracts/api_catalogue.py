"""What a dashboard draws of the catalogue beside its curves, and what a prediction rests on. Units as in `contracts.api`; days are list days."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, Field

from evergreen.contracts.api import Body
from evergreen.contracts.api_videos import CatalogueEntry, CategoryShare, PartFilter

MOST_MOVERS = 50


class CataloguePage(Body):
    first_day: date | None = Field(description="The first day on which a video was listed first; null without videos")
    last_day: date | None
    today: date = Field(description="By platform time: no list is younger")
    videos: int = Field(ge=0)
    categories: list[CategoryShare] = Field(description="Most videos first")


class RankingFilter(PartFilter):
    threshold: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 90.0


class Ranked(Body):
    n: int = Field(ge=1, description="Videos whose views at first listing are known")
    mean: float = Field(ge=0, le=100, description="Of performance")
    low: float = Field(ge=0, le=100, description="Lower end of the mean's 95 % interval: what the order goes by")
    high: float = Field(ge=0, le=100)
    share_above: float = Field(ge=0, le=1, description="Share of the videos from the threshold on")


class RankedCategory(Ranked):
    category_id: int
    name_ko: str | None
    name_en: str | None


class RankedHour(Ranked):
    hour: int = Field(ge=0, le=23, description="Of publication, in the local time of the model's region")


class RankingPage(Body):
    first_day: date | None
    last_day: date | None
    threshold: float
    categories: list[RankedCategory] = Field(description="Best first")
    hours: list[RankedHour] = Field(description="Best first")
    model_version: str = Field(description="Whose training data is the scale of performance")


class MoverFilter(PartFilter):
    limit: Annotated[int, Field(ge=1, le=MOST_MOVERS)] = 10


class Mover(CatalogueEntry):
    first_view_count: int = Field(description="Views with which it was first listed")
    days: int = Field(ge=1, description="Between its first and its last list")
    gained_per_day: float = Field(description="Views")
    growth: float | None = Field(description="Views gained per view at first listing; null where it had none")


class MoverPage(Body):
    first_day: date | None
    last_day: date | None
    movers: list[Mover] = Field(description="Most views gained per day first, then by id")


class ScoreInterval(Body):
    lower: float | None = Field(description="The prediction's interval on the scale of `performance_score`; null: the version keeps no distribution")
    upper: float | None
    coverage: float


class FeatureEffect(Body):
    feature: str
    value: float
    usual: float = Field(description="Its middle value in training; of a category the most frequent one")
    log_views: float = Field(description="By how much the value moves the prediction (log10 of views), the other features as they are")
    factor: float = Field(description="The same as a factor of the views")
    score: float = Field(description="The same in points of `performance_score`")


class PredictionExplanation(Body):
    """Effects are of one feature beside the others of this video; they do not add up to the prediction."""

    video_id: str
    model_version: str
    epoch: int
    prediction: float
    predicted_views: int
    performance_score: float
    score_interval: ScoreInterval
    features_as_of: AwareDatetime | None = Field(description="Of stored features; null when the request brought its own")
    effects: list[FeatureEffect] | None = Field(description="Strongest first, none without an effect; null: the version keeps no usual values")
