"""What one interaction does to its user's profile, and what a profile says at an instant.

Everything here is a sum or a maximum: the order in which interactions arrive does not matter, so whoever applies them, however often a
worker dies, and a profile that is made anew from the recorded rows, come to the same. A genre's preference is kept as its sum in units of a
fixed instant, where an interaction at time t counts 2^((t - EPOCH) / HALF_LIFE): nothing has to be decayed when something is added. The cap is
of what is said, not of what is kept, for a cap on a sum would depend on the order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from evergreen.core.as_of import AsOf

MODEL, DATASET, USER_COLUMN = "movie_recommender", "movies", "user_id"
WEIGHTS: Mapping[str, float] = {"view": 0.1, "click": 0.3, "add_to_cart": 0.5, "like": 0.7, "purchase": 1.0, "high_rating": 1.2}
"""Of `interaction_type`: there are no others."""
CLICKED, LOW, RATED, NOTED = "recommendation_click", "low_rating", "rating", "note"
"""Kinds made of other events: a click on a recommendation, a rating of at most 2, one in between, a text alone."""
KIND_WEIGHTS: Mapping[str, float] = {**WEIGHTS, CLICKED: WEIGHTS["click"], LOW: -WEIGHTS["high_rating"], RATED: 0.0, NOTED: 0.0}
POSITIVE = frozenset({"click", "add_to_cart", "like", "purchase", "high_rating", CLICKED})
STRONG = frozenset({"purchase", "high_rating"})
HIGH_RATING, LOW_RATING = 4.0, 2.0

PREFERENCE_STEP = 0.1
PREFERENCE_CAP = 1.0
HALF_LIFE = timedelta(days=14)
AWAY_HALF_LIFE = timedelta(days=7)
"""Of what a history says of somebody who has not been here since: measured (recommender guide)."""
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

HISTORY, OWNED, ACTIVITY = 50, 5_000, 100
"""Kept of each user: newest items in the taste, items left out of lists, newest activities."""
ACTIVITY_FOR = timedelta(hours=1)
_STANDINGS = (LOW, "view", "click", CLICKED, "add_to_cart", "like", "purchase", "high_rating")
"""A standing is when an item was last touched and how, in one number: milliseconds x 16 + place in this list."""
_ITEMS = 50
"""Of one interaction, the first."""


class Did(NamedTuple):
    """One recorded interaction as a profile sees it."""

    id: str
    time: datetime
    kind: str
    item_ids: Sequence[str]
    rating: float | None
    genres: Mapping[str, Sequence[str]]
    """By item."""


class Touched(NamedTuple):
    item: str
    kind: str
    at: datetime


@dataclass(frozen=True)
class Effect:
    """What is added: sums by genre, and standings of which the greater one stays."""

    genres: Mapping[str, float] = field(default_factory=dict)
    history: Mapping[str, int] = field(default_factory=dict)
    owned: Mapping[str, int] = field(default_factory=dict)
    activity: Mapping[str, int] = field(default_factory=dict)
    """A line of JSON -> milliseconds."""


@dataclass(frozen=True)
class Taste:
    """What is known of a user at an instant."""

    preferences: Mapping[str, float] = field(default_factory=dict)
    """By genre, from -1 to 1."""
    history: Sequence[Touched] = ()
    """Newest first; low ratings too."""
    owned: frozenset[str] = frozenset()
    """Rated or bought: not recommended."""
    boosts: Mapping[str, float] = field(default_factory=dict)
    shown: Mapping[str, int] = field(default_factory=dict)
    """How often an item was shown lately and left alone."""
    count: int = 0
    """Interactions reflected; 0: an unknown user."""
    as_of: AsOf = field(default_factory=dict)
    at: datetime | None = None
    """The instant; None: that of the newest interaction."""

    def weighted(self) -> list[tuple[str, float]]:
        """What the model ranks by: the positive history, newest first. Of somebody who was away it says less."""
        positive = [touched for touched in self.history if touched.kind in POSITIVE]
        away = max(self.at - positive[0].at, timedelta(0)) if positive and self.at is not None else timedelta(0)
        faded = 0.5 ** (away / AWAY_HALF_LIFE)
        return [(touched.item, KIND_WEIGHTS[touched.kind] * faded) for touched in positive]


def kind_of_rating(rating: float | None) -> str:
    """Of an item's feedback."""
    if rating is None:
        return NOTED
    return "high_rating" if rating >= HIGH_RATING else LOW if rating <= LOW_RATING else RATED


def effect_of(did: Did) -> Effect:
    weight, at = KIND_WEIGHTS[did.kind], milliseconds(did.time)
    items = list(dict.fromkeys(did.item_ids))[:_ITEMS]
    amount = PREFERENCE_STEP * weight * _grown(did.time)
    genres: dict[str, float] = {}
    for genre in (genre for item in items for genre in did.genres.get(item, ())) if amount else ():
        genres[genre] = genres.get(genre, 0.0) + amount
    line = json.dumps({"id": did.id, "at": did.time.isoformat(), "kind": did.kind, "items": items}, separators=(",", ":"), ensure_ascii=False)
    return Effect(
        genres=genres,
        history={item: at * 16 + _STANDINGS.index(did.kind) for item in items} if did.kind in POSITIVE or did.kind == LOW else {},
        owned=dict.fromkeys(items, at) if _owns(did) else {},
        activity={line: at},
    )


def leaves_lists(did: Did) -> bool:
    """Whether its items are recommended no more: touched, rated or bought."""
    return did.kind in POSITIVE or _owns(did)


def _owns(did: Did) -> bool:
    return did.rating is not None or did.kind in STRONG or did.kind == LOW


def together(effects: Iterable[Effect]) -> Effect:
    """Of all of a user's interactions, trimmed as a profile is: the same whatever their order."""
    genres: dict[str, float] = {}
    greatest: tuple[dict[str, int], dict[str, int], dict[str, int]] = ({}, {}, {})
    for effect in effects:
        for genre, amount in effect.genres.items():
            genres[genre] = genres.get(genre, 0.0) + amount
        for kept, new in zip(greatest, (effect.history, effect.owned, effect.activity), strict=True):
            kept.update({name: max(value, kept.get(name, value)) for name, value in new.items()})
    history, owned, activity = greatest
    newest = max(activity.values(), default=0) - int(ACTIVITY_FOR.total_seconds() * 1000)
    lately = {line: at for line, at in activity.items() if at >= newest}
    return Effect(genres, _newest(history, HISTORY), _newest(owned, OWNED), _newest(lately, ACTIVITY))


def preference(kept: float, now: datetime) -> float:
    """What a genre's sum says now."""
    return max(-PREFERENCE_CAP, min(PREFERENCE_CAP, kept / _grown(now)))


def touched(item: str, standing: int) -> Touched:
    at, code = divmod(standing, 16)
    return Touched(item, _STANDINGS[code], datetime.fromtimestamp(at / 1000, UTC))


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _grown(at: datetime) -> float:
    return float(2.0 ** ((at - EPOCH) / HALF_LIFE))


def _newest(kept: Mapping[str, int], most: int) -> dict[str, int]:
    """Ties by the name's bytes, as Redis has them."""
    return dict(sorted(kept.items(), key=lambda one: (one[1], one[0].encode()))[-most:])
