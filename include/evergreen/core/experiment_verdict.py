"""What was counted of an experiment, and what may be said of it at this look, whenever that is.

Guarantee: of experiments whose variants are the same at most one in twenty ever says that one is better or worse, however often it is looked at;
of rightly divided ones at most one in a thousand is ever called broken. Nothing is said of too little, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from evergreen.core.binomial import at_least
from evergreen.core.canary import SURE
from evergreen.core.sequential import ALPHA, Bounds, Mean, is_mismatched, mean_interval, relative_interval

MIN_USERS = 100
"""Of each variant, before two are compared: the intervals are those of large samples."""
MIN_CLICKERS = 20
"""Users with a click, of both variants together."""
MAX_CROSSED = 0.01
"""Users who saw more than one variant, of all: assignment does not stick."""
Word = Literal["too_few", "open", "better", "worse"]


@dataclass(frozen=True)
class Counts:
    """Of one variant, as the tables say. A user belongs to the variant he was shown first."""

    exposed: int = 0
    """Users who were shown a list."""
    crossed: int = 0
    """Of them, those who later saw another variant."""
    users: int = 0
    """Of them, those whose time is over: the ones that are counted, each once."""
    lists: int = 0
    clicks: int = 0
    """Lists clicked on, each once."""
    clickers: int = 0
    """Users with a click."""
    total: float = 0.0
    """Of the users' own click-through rates."""
    squares: float = 0.0

    @property
    def mean(self) -> Mean:
        return Mean(self.users, self.total, self.squares)

    @property
    def is_sound(self) -> bool:
        return math.isfinite(self.total) and math.isfinite(self.squares)


@dataclass(frozen=True)
class VariantFound:
    name: str
    counts: Counts
    ctr: Bounds | None = None
    """The mean of its users' own click-through rates. None: nobody's time is over."""
    relative: Bounds | None = None
    """To the control's, minus one. None: the control itself, or too little to say."""
    word: Word = "too_few"


@dataclass(frozen=True)
class Found:
    """One look."""

    variants: tuple[VariantFound, ...]
    broken: str = ""
    """Why nothing it says can be believed."""
    says: str = ""

    @property
    def decided(self) -> bool:
        """Of every challenger it is known whether it is better or worse."""
        return all(one.word in ("better", "worse") for one in self.variants[1:])

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Found:
        variants = [VariantFound(one["name"], Counts(**one["counts"]), _bounds(one["ctr"]), _bounds(one["relative"]), one["word"]) for one in body["variants"]]
        return cls(tuple(variants), body["broken"], body["says"])


def _bounds(body: Mapping[str, float] | None) -> Bounds | None:
    return None if body is None else Bounds(**body)


def judge(names: Sequence[str], shares: Sequence[float], counts: Sequence[Counts]) -> Found:
    """The control is the first of each."""
    alpha = ALPHA / max(1, len(names) - 1)
    control = counts[0]
    variants = [beside(name, one, control if at else None, alpha) for at, (name, one) in enumerate(zip(names, counts, strict=True))]
    broken = _broken(names, shares, counts)
    return Found(tuple(variants), broken, broken or _says(variants))


def beside(name: str, counts: Counts, control: Counts | None, alpha: float) -> VariantFound:
    """Against the control, which is beside none."""
    ctr = mean_interval(counts.mean) if counts.users and counts.is_sound else None
    if control is None or not (counts.is_sound and control.is_sound):
        return VariantFound(name, counts, ctr)
    if min(counts.users, control.users) < MIN_USERS or counts.clickers + control.clickers < MIN_CLICKERS:
        return VariantFound(name, counts, ctr)
    relative = relative_interval(control.mean, counts.mean, alpha)
    if relative is None:
        return VariantFound(name, counts, ctr)
    word: Word = "better" if relative.low > 0 else "worse" if relative.high < 0 else "open"
    return VariantFound(name, counts, ctr, relative, word)


def _broken(names: Sequence[str], shares: Sequence[float], counts: Sequence[Counts]) -> str:
    exposed = [one.exposed for one in counts]
    total, crossed = sum(exposed), sum(one.crossed for one in counts)
    if is_mismatched(exposed, shares):
        found = ", ".join(f"{name} {one / total:.1%} ({share:.1%} planned)" for name, one, share in zip(names, exposed, shares, strict=True))
        return f"the groups are not divided as planned: {found} of {total} users"
    if crossed and at_least(crossed, total, MAX_CROSSED) < SURE:
        return f"{crossed} of {total} users saw more than one variant: who is assigned does not stay so"
    return ""


def _says(variants: Sequence[VariantFound]) -> str:
    control = variants[0]
    exposed = sum(one.counts.exposed for one in variants)
    if not exposed:
        return "nobody was shown a list yet"
    if not any(one.counts.users for one in variants):
        return f"{exposed} users were shown a list; nobody's time is over yet"
    return "; ".join(_compared(one, control) for one in variants[1:])


def _compared(one: VariantFound, control: VariantFound) -> str:
    if one.relative is not None:
        words = {"better": "better than", "worse": "worse than"}.get(one.word, "no different yet from")
        return f"{one.name} is {words} {control.name}: {one.relative.point:+.1%} [{one.relative.low:+.1%}, {one.relative.high:+.1%}]"
    for which in (control, one):
        if not which.counts.is_sound:
            return f"what was counted of {which.name} is not a number"
        if which.counts.users < MIN_USERS:
            return f"{which.counts.users} users of {which.name} are too few, {MIN_USERS} are needed"
    clickers = one.counts.clickers + control.counts.clickers
    if clickers < MIN_CLICKERS:
        return f"{clickers} users of {control.name} and {one.name} clicked; {MIN_CLICKERS} are needed"
    return f"so few users of {control.name} clicked that {one.name} may be any multiple of it"
