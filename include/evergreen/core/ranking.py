"""From what the model says of items to the list a user is shown. Pure: the recommender worker, serving on a miss and the offline evaluation use it.

    value = score in [0, 1] x (1 + preference of its genres) x boosts x ignored^(times shown lately and left alone)

Then one by one the item with the best (1 - diversity) x value - diversity x similarity to what is chosen already (maximal marginal relevance),
similarity being the share of common genres."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from evergreen.core.boosts import HIGHEST
from evergreen.core.recommending import Taste


@dataclass(frozen=True)
class Knobs:
    diversity: float = 0.15
    """0: the best ones, 1: anything but alike."""
    preference: float = 0.25
    """By how much the most preferred genre lifts an item."""
    ignored: float = 0.9
    least: float = 0.5
    """What is shown again and again falls no further than this."""


class Candidate(NamedTuple):
    item: str
    score: float
    genres: Sequence[str]
    genre_bits: int
    """The same as bits of a number: comparing is most of the work."""


class Chosen(NamedTuple):
    item: str
    value: float


class Reason(NamedTuple):
    kind: Literal["watched", "users", "genre", "popular"]
    about: str = ""
    """The item watched, or the genre."""


def top(candidates: Sequence[Candidate], k: int, taste: Taste, knobs: Knobs | None = None) -> list[Chosen]:
    """At most k, best first. What is left out (rated, bought, in the history) is not among the candidates any more."""
    knobs = knobs or Knobs()
    values = _values(candidates, taste, knobs)
    order = sorted(range(len(candidates)), key=lambda at: (-values[at], candidates[at].item))
    open_ = _Open([values[at] for at in order], [candidates[at].genre_bits for at in order], knobs.diversity)
    return [Chosen(candidates[order[at]].item, values[order[at]]) for at in open_.take(min(k, len(order)))]


class _Open:
    """Candidates in the order of their values. How alike one is to what is chosen is only worked out while it may still be the best: nothing further
    down can be once its value alone is too low."""

    def __init__(self, values: Sequence[float], genres: Sequence[int], diversity: float) -> None:
        self._most = [(1 - diversity) * value for value in values]
        self._genres = genres
        self._diversity = diversity
        self._alike = [0.0] * len(values)
        self._compared = [0] * len(values)
        """With how many of the chosen."""
        self._chosen: list[int] = []
        """Their genres."""

    def take(self, count: int) -> list[int]:
        """Places, best first."""
        left = list(range(len(self._most)))
        return [left.pop(self._best(left)) for _ in range(count)]

    def _best(self, left: Sequence[int]) -> int:
        most, alike, diversity = self._most, self._alike, self._diversity
        best, gain = 0, -1.0 - diversity
        for place, at in enumerate(left):
            if most[at] <= gain:
                break
            if most[at] - diversity * alike[at] > gain and (found := most[at] - diversity * self._looked_at(at)) > gain:
                best, gain = place, found
        self._chosen.append(self._genres[left[best]])
        return best

    def _looked_at(self, at: int) -> float:
        bits = self._genres[at]
        for other in self._chosen[self._compared[at] :] if self._diversity else ():
            either = (bits | other).bit_count()
            if either and (found := (bits & other).bit_count() / either) > self._alike[at]:
                self._alike[at] = found
        self._compared[at] = len(self._chosen)
        return self._alike[at]


def reason(item: str, genres: Sequence[str], taste: Taste, watched: str) -> Reason:
    """Why it is there. `watched`: the item of the history that is nearest to it, "" where none is near."""
    if watched:
        return Reason("watched", watched)
    if item in taste.boosts:
        return Reason("users")
    liked = max(genres, key=lambda genre: taste.preferences.get(genre, 0.0), default="")
    return Reason("genre", liked) if taste.preferences.get(liked, 0.0) > 0 else Reason("popular")


def words(why: Reason, title: Callable[[str], str]) -> str:
    match why.kind:
        case "watched":
            return f"because you watched {title(why.about)}"
        case "users":
            return "because people with your taste chose it"
        case "genre":
            return f"because you like {why.about}"
        case "popular":
            return "popular now"


def _values(candidates: Sequence[Candidate], taste: Taste, knobs: Knobs) -> list[float]:
    scores = [one.score for one in candidates]
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    preferences, boosts, shown = taste.preferences, taste.boosts, taste.shown
    found = []
    for one in candidates:
        value = (one.score - low) / (high - low) if high > low else 1.0
        if preferences and one.genres:
            liked = 0.0
            for genre in one.genres:
                liked += preferences.get(genre, 0.0)
            value *= 1 + knobs.preference * liked / len(one.genres)
        if one.item in boosts:
            value *= min(boosts[one.item], HIGHEST)
        if one.item in shown:
            value *= max(knobs.ignored ** shown[one.item], knobs.least)
        found.append(value)
    return found
