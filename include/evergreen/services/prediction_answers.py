"""A prediction's answer as bytes: the model's part, made once, and what differs from request to request around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from evergreen.ports.cache import CachedAnswer, Layer
from evergreen.ports.serving import Champion

if TYPE_CHECKING:
    from evergreen.contracts.api import BloomStatus

encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Answer:
    body: bytes
    """JSON object, ready to send."""
    model: str
    version: int
    layer: Layer | None
    """Of the cache it came from."""
    seconds: float
    degraded: bool


@dataclass(slots=True)
class Ready:
    """All of an answer that does not differ between repetitions of a question."""

    head: bytes
    tail: bytes

    def body(self, prediction_id: str, cached: bool, seconds: float, status: BloomStatus, reasons: Sequence[str]) -> bytes:
        said = _said(cached, status, tuple(reasons))
        return b'%b,"prediction_id":"%b","processing_time":%.6f,%b%b' % (self.head, prediction_id.encode(), seconds, said, self.tail)


def ready(champion: Champion, entity: str, ignored: Sequence[str], answer: CachedAnswer) -> Ready:
    said = {
        "video_id": entity,
        "model_version": champion.loaded.name,
        "epoch": champion.epoch,
        "features_ignored": ignored,
        "features_as_of": answer.features_as_of,
    }
    return Ready(encode(said)[:-1], b"," + answer.body[1:])


@lru_cache(maxsize=256)
def _said(cached: bool, status: BloomStatus, reasons: tuple[str, ...]) -> bytes:
    return encode({"cached": cached, "bloom_filter_status": status, "degraded": bool(reasons), "degraded_reasons": reasons})[1:-1]


@dataclass(slots=True)
class Repeated:
    """A question by its bytes, and everything its answer needs while nothing changes."""

    champion: Champion
    by: Champion
    """Who answered: the champion or its canary."""
    changes: int
    """Of the generations then."""
    until: float
    """Wall seconds, monotonic."""
    entity: str
    given: bytes
    answer: CachedAnswer
    ready: Ready
    as_of: datetime | None
