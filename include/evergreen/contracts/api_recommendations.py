"""Bodies of what people do (`/interactions`, `/clicks`, `/items/…/feedback`) and of what is recommended to them (`/recommendations/…`)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictInt

from evergreen.contracts.api import JSON_WHOLE, Body, Named, Number, Text

USER_ID = r"^[!-.0-~]{1,64}$"
UserId = Annotated[str, Field(pattern=USER_ID, examples=["42"], description="ASCII without spaces and slashes")]
ItemId = Annotated[str, Field(pattern=r"^[!-.0-9;-~]{1,63}$", examples=["318"], description="ASCII without spaces, slashes and colons")]
Label = Annotated[str, Field(pattern=r"^[!-~]{1,64}$")]
Genre = Annotated[str, Field(pattern=r"^[^\x00]{1,64}$", examples=["Comedy"])]
InteractionType = Literal["view", "click", "add_to_cart", "like", "purchase", "high_rating"]


def _text() -> Any:
    """Of a field that may be left out, not null."""
    return ""


class InteractionRequest(Body):
    user_id: UserId
    interaction_type: InteractionType
    item_ids: Annotated[list[ItemId], Field(min_length=1, max_length=100)]
    context: Named = Field(default_factory=dict, examples=[{"page": "home", "device": "tv"}])


class RecommendationContext(Body):
    """Where the click was made, as the list said it."""

    list_id: Label = Field(default_factory=_text)
    position: Annotated[StrictInt, Field(ge=0, le=10_000), JSON_WHOLE] = Field(default=0, description="From 1; 0: not known")
    experiment: Label = Field(default_factory=_text)
    variant: Label = Field(default_factory=_text)


class ClickRequest(Body):
    user_id: UserId
    item_id: ItemId
    recommendation_context: RecommendationContext = Field(default_factory=RecommendationContext)


class ItemFeedbackRequest(Body):
    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["rating"]}, {"required": ["text"]}]})

    user_id: UserId
    rating: Annotated[Number, Field(ge=0.5, le=5)] = Field(default_factory=float, description="0.5 to 5")
    text: Annotated[Text, Field(min_length=1, max_length=5_000)] = Field(default_factory=_text, description="Kept, never logged")


class InteractionAccepted(Body):
    id: str = Field(description="Of the event; the same for a repeated Idempotency-Key")
    status: Literal["accepted"] = "accepted"
    as_of: str = Field(description="Where it lies on Kafka: give it back as `as_of` to hear when a list reflects it", examples=["interactions:2:1841"])


class Recommendation(Body):
    position: int = Field(ge=1, description="From 1; give it back with a click")
    item_id: str
    title: str
    score: float = Field(description="Of this list alone")
    reason: str = Field(examples=["because you watched Toy Story (1995)"])


class RecommendationList(Body):
    user_id: str
    list_id: str = Field(description="Names this list; give it back with a click")
    items: list[Recommendation] = Field(description="Best first")
    model_version: str | None = Field(examples=["movie_recommender@3"], description="null: nobody knows which, the popular list as it was remembered")
    as_of: str = Field(
        description="The newest of the user's interactions that are in it, per stream; empty: none", examples=["clicks:0:77,interactions:2:1841"]
    )
    reflected: bool | None = Field(description="Whether the `as_of` that was asked for is in it; null: none was")
    made_at: datetime = Field(description="Platform time")
    origin: Literal["stored", "computed", "popular"]
    experiment: str | None = Field(description="The user takes part in; give it back with a click")
    variant: str | None
    degraded: bool
    degraded_reasons: list[Literal["model_unavailable", "profile_unavailable", "profile_rebuilding", "overloaded"]]
