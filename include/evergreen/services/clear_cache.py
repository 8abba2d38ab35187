"""An operator wants a model's cached answers gone, in every worker and in Redis.

Guarantee: when it returns, this process answers with none of them, and a second later no process does. Nothing is looked for in Redis: keys
carry the generation, so what lies under the old one is never asked for again and expires in minutes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog

from evergreen.core.errors import NotFound
from evergreen.core.generations import predictions
from evergreen.ports.cache import CacheGenerations

log = structlog.get_logger(__name__)


class ClearCache:
    def __init__(self, generations: CacheGenerations, learned: Callable[[str, int], Awaitable[None]], models: Sequence[str]) -> None:
        """`learned`: wait until this process follows a generation."""
        self._generations = generations
        self._learned = learned
        self._models = frozenset(models)

    async def run(self, model: str, by: str) -> int:
        """The new generation. Raises NotFound, Unavailable."""
        if model not in self._models:
            raise NotFound(f"no model {model!r}")
        kind = predictions(model)
        generation = await self._generations.bump(kind, by)
        await self._learned(kind, generation)
        log.info("cache_cleared", model=model, generation=generation, by=by)
        return generation
