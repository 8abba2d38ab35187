"""Bodies of `/profiles` and `/items`: users of the recommender as those see them who look after it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from evergreen.contracts.api import Body


class KnownUser(Body):
    user_id: str
    interactions: int = Field(description="Reflected in the profile; 0: known from batches alone")
    active_at: datetime | None = Field(description="null: was never active here")


class KnownUsers(Body):
    users: list[KnownUser] = Field(description="Who did something last comes first; then those known from batches")


class Item(Body):
    item_id: str
    title: str = Field(description="The id of an item the model does not know")
    genres: list[str]


class Items(Body):
    items: list[Item] = Field(description="Most popular first")
    model_version: str


class SimilarItem(Item):
    similarity: float = Field(ge=-1, le=1, description="Cosine; of an item that few liked: by genres and year")
    boosted: bool = Field(description="Near enough to be lifted for whoever clicks on the other one in his list")


class SimilarItems(Item):
    items: list[SimilarItem] = Field(description="Nearest first")
    model_version: str


class SimilarUser(Body):
    user_id: str
    similarity: float = Field(ge=-1, le=1.001, description="Cosine of what the model makes of their histories")


class SimilarUsersSaid(Body):
    user_id: str
    users: list[SimilarUser] = Field(description="Nearest first, those alone whom a purchase of this user reaches")
    compared_with: int = Field(description="Active users looked up by this worker so far")
    model_version: str


class GenrePreference(Body):
    genre: str
    preference: float = Field(ge=-1, le=1, description="As it has decayed by now")


class TouchedItem(Item):
    kind: str = Field(description="How it was touched last")
    at: datetime = Field(description="Platform time")


class BoostedItem(Item):
    cause: Literal["users", "items"] = Field(description="`users`: similar users liked it; `items`: it is similar to what was clicked")
    factor: float
    until: datetime = Field(description="Wall time")


class ActivityEntry(Body):
    id: str
    at: datetime = Field(description="Platform time")
    kind: str
    items: list[Item]


class UserProfile(Body):
    user_id: str
    interactions: int = Field(description="Reflected in what follows")
    counts: dict[str, int] = Field(description="Recorded interactions by kind")
    rated: int = Field(description="Items rated or bought: not recommended again")
    preferences: list[GenrePreference] = Field(description="Strongest first")
    history: list[TouchedItem] = Field(description="Newest first, 50 at most, from batches too")
    boosts: list[BoostedItem]
    activity: list[ActivityEntry] = Field(description="Of the last hour, newest first, 100 at most")
    as_of: str = Field(examples=["clicks:0:77,interactions:2:1841"])
    rebuilding: bool = Field(description="Profiles were lost and are being made anew")
    model_version: str | None = Field(description="Which named the items; null: none serves, they are named by their ids")
