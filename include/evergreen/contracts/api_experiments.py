"""Bodies of `/experiments`. Times are platform time; rates and shares lie in [0, 1]."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StrictInt

from evergreen.contracts.api import JSON_WHOLE, Body, ModelName, Number, Text

ExperimentName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$", examples=["more-diverse"])]
Reason = Annotated[Text, Field(min_length=1, max_length=500)]
Weight = Annotated[Number, Field(ge=0.01, le=100)]


class Knobs(Body):
    """What a variant may set when lists are made."""

    diversity: Annotated[Number, Field(ge=0, le=1)] | None = Field(default=None, description="0: by score alone; 1: as different from each other as can be")


class Challenger(Body):
    name: ExperimentName
    weight: Weight = 1.0
    version: Annotated[StrictInt, Field(ge=1, lt=2**31), JSON_WHOLE] | None = Field(default=None, description="Of the model; null: the champion")
    params: Knobs = Knobs()


class ExperimentRequest(Body):
    name: ExperimentName = Field(description="Used once: it decides who is shown what")
    model: ModelName = Field(examples=["movie_recommender"])
    challengers: Annotated[list[Challenger], Field(min_length=1, max_length=4)] = Field(description="Beside the control, which is what serves now")
    share: Annotated[Number, Field(gt=0, le=1)] = Field(description="Of all users")
    reason: Reason = Field(description="Recorded with it")
    control_weight: Weight = 1.0
    window_hours: Annotated[Number, Field(gt=0, le=336)] = Field(default=24.0, description="For which a user is counted, from the first list he was shown")
    days: Annotated[Number, Field(gt=0, le=90)] = Field(default=28.0, description="After which it ends by itself")


class StopRequest(Body):
    reason: Reason


class Interval(Body):
    """Holds at 95 % at all looks together, however often one looks."""

    point: float
    low: float
    high: float


class VariantCounts(Body):
    exposed: int = Field(description="Users who were shown a list")
    users: int = Field(description="Of them, those whose time is over: the ones that are counted")
    lists: int
    clicks: int = Field(description="Lists clicked on")
    clickers: int = Field(description="Users with a click")


class VariantSaid(Body):
    name: str
    weight: float
    version: int | None
    params: dict[str, float]
    planned: float = Field(description="Share of those in the experiment")
    counts: VariantCounts | None = Field(description="null: not looked at yet")
    ctr: Interval | None = Field(description="Mean of its users' own click-through rates")
    relative: Interval | None = Field(description="To the control's, minus one; null: the control itself, or too little to say")
    verdict: Literal["too_few", "open", "better", "worse"] | None


class ExperimentSaid(Body):
    name: str
    model: str
    status: Literal["running", "finished", "stopped", "broken"]
    share: float
    metric: str
    window_hours: float
    says: str = Field(description="What was found at the newest look, in words")
    groups_as_planned: bool | None
    variants: list[VariantSaid] = Field(description="The control first")
    started_by: str
    reason: str
    ended_by: str | None
    end_reason: str | None
    started_time: AwareDatetime
    until_time: AwareDatetime
    ended_time: AwareDatetime | None
    looked_time: AwareDatetime | None


class ExperimentList(Body):
    experiments: list[ExperimentSaid]
