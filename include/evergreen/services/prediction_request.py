"""From a question to what the model is asked: given or stored features, and what the store knows of what they refer to; and its cache key."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from evergreen.core.errors import NotFound, Unavailable
from evergreen.ports.model import ModelSpec
from evergreen.ports.serving import UNKNOWN_SECONDS, Champion, FeatureStore

encode_sorted = msgspec.json.Encoder(order="sorted").encode


class NothingKnown(NotFound):
    """No features were given and the feature store has none of the entity."""

    def __init__(self, entity: str) -> None:
        super().__init__(f"nothing is known of {entity!r}: send `features`, or ask again once a list with it was ingested")


def features_away(entity: str) -> Unavailable:
    return Unavailable(f"the features of {entity!r} cannot be looked up now: send `features`, or try again")


@dataclass(slots=True)
class Round:
    """What one request finds out on its way."""

    reasons: list[str] = field(default_factory=list)
    whole: bool = True
    """Everything the answer should rest on was there: only then it may be cached."""
    seconds_left: float = math.inf
    """For which what it was asked with may be kept."""

    def lacks(self, reason: str, *, whole: bool = True) -> None:
        if reason not in self.reasons:
            self.reasons.append(reason)
        self.whole = self.whole and whole

    def keeps(self, seconds: float) -> None:
        self.seconds_left = min(self.seconds_left, seconds)


@dataclass(slots=True)
class Asked:
    values: dict[str, Any]
    as_of: datetime | None
    """Of stored features; None: the request brought its own."""


class Requests:
    def __init__(self, features: FeatureStore) -> None:
        self._features = features

    async def of(self, spec: ModelSpec, entity: str, given: Mapping[str, Any] | None, found: Round) -> Asked:
        """`given`: as `known` returns it. Raises NothingKnown, Unavailable (the entity's stored features cannot be looked up)."""
        if given is not None:
            return Asked(await self._with_related(spec, {**given}, found), None)
        stored = await self._features.get(spec.name, entity)
        if stored is None:
            raise NothingKnown(entity)
        found.keeps(stored.seconds_left)
        return Asked(await self._with_related(spec, {**stored.features}, found), stored.as_of)

    async def _with_related(self, spec: ModelSpec, request: dict[str, Any], found: Round) -> dict[str, Any]:
        """Without the store: as it is, and degraded."""
        related = spec.related(request) if spec.related is not None else None
        if related is None:
            return request
        try:
            stored = await self._features.get(spec.name, related.entity)
        except Unavailable:
            found.lacks("features_unavailable", whole=False)
            return request
        found.keeps(UNKNOWN_SECONDS if stored is None else stored.seconds_left)
        return {**(related.unknown if stored is None else stored.features), **request}


async def with_related(features: FeatureStore, spec: ModelSpec, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each request with what the store knows of what it refers to, all asked at once. Raises Unavailable."""
    related = [spec.related(request) if spec.related is not None else None for request in requests]
    wanted = sorted({one.entity for one in related if one is not None})
    stored = await features.get_many(spec.name, wanted) if wanted else {}
    return [
        {**({} if one is None else stored[one.entity].features if one.entity in stored else one.unknown), **request}
        for one, request in zip(related, requests, strict=True)
    ]


def known(spec: ModelSpec, features: Mapping[str, Any] | None) -> tuple[dict[str, Any] | None, list[str]]:
    """What the model can use, nulls left out, and the names it cannot."""
    if features is None:
        return None, []
    names = _names(spec)
    if features.keys() <= names and None not in features.values():
        return dict(features), []
    return {name: value for name, value in features.items() if value is not None and name in names}, sorted(features.keys() - names)


def row_of(spec: ModelSpec, request: Mapping[str, Any]) -> Mapping[str, float] | None:
    """The request's feature row; None: the model makes none of its own."""
    return None if spec.request_row is None else spec.request_row(request)


def told(request: Mapping[str, Any], row: Mapping[str, float] | None) -> Mapping[str, Any]:
    """With the feature row made of it: what the prediction log tells, so that another version can be asked the same."""
    return request if row is None else {**request, **row}


_NAMES: dict[tuple[tuple[str, ...], tuple[str, ...]], frozenset[str]] = {}


def _names(spec: ModelSpec) -> frozenset[str]:
    key = (spec.feature_names, spec.request_facts)
    found = _NAMES.get(key)
    if found is None:
        found = _NAMES[key] = frozenset({*spec.feature_names, *spec.request_facts})
    return found


def cache_key(champion: Champion, generation: int, entity: str, request: Mapping[str, Any]) -> str:
    """Model, version, epoch, feature schema, generation, entity, hash of everything the model is asked with: two questions share a key only
    if they share the answer, and new features in the store make a new key."""
    return key_of(champion, generation, entity, encode_sorted(request))


def key_of(champion: Champion, generation: int, entity: str, request: bytes) -> str:
    """`cache_key` of a request that is encoded already."""
    return f"{_prefix(champion, generation)}:{entity}:{hashlib.blake2b(request, digest_size=20).hexdigest()}"


def last_key(champion: Champion, generation: int, entity: str) -> str:
    """What was said of the entity from stored features, newest last."""
    return f"{_prefix(champion, generation)}:{entity}:last"


def _prefix(champion: Champion, generation: int) -> str:
    loaded = champion.loaded
    return f"prediction:{loaded.spec.name}:{loaded.version}:{champion.epoch}:{loaded.schema_hash}:{generation}"
