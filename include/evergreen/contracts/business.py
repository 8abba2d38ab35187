"""Payloads of the `business.*` and recommendation topics: what users do, and what is recommended to them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from evergreen.contracts.events import Payload, VersionName


class UserInteraction(Payload):
    user_id: str
    interaction_type: Literal["view", "click", "add_to_cart", "like", "purchase", "high_rating"]
    item_ids: tuple[str, ...] = Field(min_length=1)
    context: dict[str, Any] = Field(default_factory=dict)


class RecommendationClicked(Payload):
    user_id: str
    item_id: str
    recommendation_context: dict[str, Any] = Field(default_factory=dict)


class BusinessFeedbackReceived(Payload):
    user_id: str
    item_id: str
    rating: float | None = Field(default=None, ge=0.5, le=5)
    text: str | None = None


class RecommendationsUpdated(Payload):
    user_id: str
    trigger: str
    source_item: str | None = None
    boosted_items: tuple[str, ...] = ()


class RecommendationsShown(Payload):
    """A list a user was given, told before he can click on it."""

    user_id: str
    list_id: str
    model_name: str
    model_version: VersionName | None = Field(default=None, description="null: the popular list, made without a model")
    items: tuple[str, ...] = Field(description="Best first")
    experiment: str | None = None
    variant: str | None = None


class RecommendationsPush(Payload):
    user_id: str
    items: tuple[str, ...]
