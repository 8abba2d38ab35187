"""Bodies of what people do (`/interactions`, `/clicks`, `/items/…/feedback`) and of what is recommended to them (`/recommendations/…`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictInt

from evergreen.contracts.api import JSON_WHOLE, Body, Named, Number, Text

USER_ID = r"^[!-.0-~]{1,64}$"
UserId = Annotated[str, Field(pattern=USER_ID, examples=["42"], description="ASCII without spaces and slashes")]
ItemId = Annotated[str, Field(pattern=r"^[!-.0-9;-~]{1,63}$", examples=["318"], description="ASCII without spaces, slashes and colons")]
Label = Annotated[str, Field(pattern=r"^[!-~]{1,64}$")]
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
