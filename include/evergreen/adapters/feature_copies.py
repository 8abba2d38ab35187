"""Serving's copies of the feature store in Redis: `features:{model}:{entity}`."""

from __future__ import annotations

from collections.abc import Sequence

import redis

from evergreen.core.errors import Unavailable

_CHUNK = 500


def copy_key(model: str, entity: str) -> str:
    return f"features:{model}:{entity}"


class RedisFeatureCopies:
    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def forget(self, keys: Sequence[tuple[str, str]]) -> None:
        names = [copy_key(model, entity) for model, entity in keys]
        try:
            for at in range(0, len(names), _CHUNK):
                self._redis.unlink(*names[at : at + _CHUNK])
        except redis.RedisError as error:
            raise Unavailable(f"Redis does not answer: {error}") from error
