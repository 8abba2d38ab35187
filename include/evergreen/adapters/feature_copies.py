"""Serving's copies of the feature store in Redis: `features:{model}:{entity}`, and `features:round`, a number that rises when copies are
forgotten.

Guarantee: what was forgotten is not put back. Failure: a worker reads an old row, the row is changed and its copy forgotten, and only then
the worker writes its copy. Remedy: it writes only while the round is the one in which it found no copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evergreen.core.errors import Unavailable

if TYPE_CHECKING:
    import redis

ROUND = "features:round"
_CHUNK = 500
KEEP = """
-- KEYS: round, copy. ARGV: the round in which there was no copy, the copy, its seconds
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 1
"""


def copy_key(model: str, entity: str) -> str:
    return f"features:{model}:{entity}"


class RedisFeatureCopies:
    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def forget(self, keys: Sequence[tuple[str, str]]) -> None:
        from redis import RedisError  # serving reads copies, and starts without the library

        names = [copy_key(model, entity) for model, entity in keys]
        try:
            self._redis.incr(ROUND)
            for at in range(0, len(names), _CHUNK):
                self._redis.unlink(*names[at : at + _CHUNK])
        except RedisError as error:
            raise Unavailable(f"Redis does not answer: {error}") from error
