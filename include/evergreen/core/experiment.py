"""What an experiment on people is, and who is shown which variant.

Guarantee: who belongs to which variant is computed and nowhere stored: the same answer in every process, as long as the experiment runs. Of
another experiment it is independent. A larger share only lets more people in: nobody leaves, nobody changes sides."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from typing import Any

from evergreen.core.errors import InvalidRequest

CTR = "ctr"
"""Of one user: the share of the lists he was shown on which he clicked. The only primary metric so far."""
KNOBS: Mapping[str, tuple[float, float]] = {"diversity": (0.0, 1.0)}
"""What a variant may set when lists are made, each with its bounds. A name that is not here would change nothing and say nothing."""
MOST_VARIANTS = 5
MOST_HOURS = 14 * 24.0
MOST_DAYS = 90.0
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_WHOLE = 2.0**64


@dataclass(frozen=True)
class Variant:
    name: str
    weight: float = 1.0
    """Its part of those in the experiment, relative to the others'."""
    version: int | None = None
    """None: the champion of the moment."""
    params: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "weight": self.weight, "version": self.version, "params": dict(self.params)}


@dataclass(frozen=True)
class Experiment:
    """What serving needs to know of one that runs. The first variant is the control: what everybody else is shown too."""

    name: str
    model: str
    variants: Sequence[Variant]
    share: float
    """Of all users; the others are shown what they always are, and are not counted."""

    @property
    def shares(self) -> tuple[float, ...]:
        """Planned, of those in the experiment; adds up to 1."""
        total = sum(variant.weight for variant in self.variants)
        return tuple(variant.weight / total for variant in self.variants)

    @property
    def versions(self) -> frozenset[int]:
        """Those that must be loaded beside the champion."""
        return frozenset(variant.version for variant in self.variants if variant.version is not None)

    def variant_of(self, user: str) -> Variant | None:
        """None: not in the experiment. One half of the hash says whether, the other which, so that neither moves the other."""
        digest = blake2b(f"{self.name}\x1f{user}".encode(), digest_size=16).digest()
        if int.from_bytes(digest[:8]) >= self.share * _WHOLE:
            return None
        place, reached = int.from_bytes(digest[8:]) / _WHOLE, 0.0
        for variant, share in zip(self.variants, self.shares, strict=True):
            reached += share
            if place < reached:
                return variant
        return self.variants[-1]  # rounding


def variants_from(body: Sequence[Mapping[str, Any]]) -> tuple[Variant, ...]:
    """As `Variant.to_json` wrote them."""
    return tuple(Variant(**one) for one in body)


def check_plan(experiment: Experiment, *, window_hours: float, days: float) -> None:
    """Raises InvalidRequest, saying what is wrong and what would be right."""
    variants = experiment.variants
    names = [variant.name for variant in variants]
    if bad := [name for name in (experiment.name, *names) if not _NAME.fullmatch(name)]:
        raise InvalidRequest(f"{bad[0]!r} is no name: a small letter, then up to 62 small letters, digits, - and _")
    if not 2 <= len(variants) <= MOST_VARIANTS:
        raise InvalidRequest(f"an experiment has 2 to {MOST_VARIANTS} variants, the control first; here are {len(variants)}")
    if repeated := [one for one, other in pairwise(sorted(names)) if one == other]:
        raise InvalidRequest(f"two variants are called {repeated[0]!r}")
    if not 0 < experiment.share <= 1:
        raise InvalidRequest(f"the share of all users is above 0 and at most 1, not {experiment.share}")
    if not 0 < window_hours <= MOST_HOURS:
        raise InvalidRequest(f"a user is counted for up to {MOST_HOURS:g} hours after he was first shown a list, not for {window_hours:g}")
    if not 0 < days <= MOST_DAYS:
        raise InvalidRequest(f"an experiment lasts up to {MOST_DAYS:g} days, not {days:g}")
    if variants[0].params:
        raise InvalidRequest("the control, the first variant, is what everybody is shown: it sets nothing")
    for variant in variants:
        _check_variant(variant)


def _check_variant(variant: Variant) -> None:
    if not (math.isfinite(variant.weight) and 0.01 <= variant.weight <= 100):
        raise InvalidRequest(f"the weight of {variant.name} is between 0.01 and 100, not {variant.weight}")
    for name, value in variant.params.items():
        if name not in KNOBS:
            raise InvalidRequest(f"{variant.name} sets {name!r}, which nothing heeds; there is {', '.join(KNOBS)}")
        low, high = KNOBS[name]
        if not low <= value <= high:
            raise InvalidRequest(f"{variant.name} sets {name} to {value}; it is between {low:g} and {high:g}")
