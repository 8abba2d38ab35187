"""The question to the seen index in Redis (see `redis_bloom` for its keys), and who asks it from an event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal

from evergreen.adapters import redis_bloom_scripts as scripts
from evergreen.core.seen_window import WINDOW_DAYS, Layer, layer, positions, window_of
from evergreen.ports.seen_index import Seen

DEFAULT_NAMESPACE = "videos"
FIRST_LAYERS = 1


class Layout:
    def __init__(self, namespace: str) -> None:
        self._prefix = f"{{bloom:{namespace}}}"
        self.state, self.days, self.items = (f"{self._prefix}:{name}" for name in ("state", "days", "items"))
        self._known: tuple[tuple[date, int, int], list[str], list[str | int], list[Layer]] | None = None

    def bitmap(self, day: date, index: int) -> str:
        return f"{self._prefix}:{day.isoformat()}:{index}"

    def question(self, items: Sequence[str], today: date, days: int, layers: int) -> tuple[list[str], list[str | int]]:
        """Keys and arguments of the lookup script."""
        keys, arguments, used = self._window(today, days, layers)
        return [*keys], [*arguments, len(items), *(bit for item in items for of in used for bit in positions(item, of))]

    def _window(self, today: date, days: int, layers: int) -> tuple[list[str], list[str | int], list[Layer]]:
        """What all questions of a day have in common: worked out once."""
        asked = (today, days, layers)
        if self._known is None or self._known[0] != asked:
            window, used = window_of(today, days), [layer(index) for index in range(layers)]
            keys = [self.state, self.days, *(self.bitmap(day, of.index) for day in window for of in used)]
            head: list[str | int] = [min(window).isoformat(), len(window), layers, *(day.isoformat() for day in window), *(of.slices for of in used)]
            self._known = (asked, keys, head, used)
        return self._known[1:]


def answers_of(reply: Sequence[int], count: int) -> list[Seen] | int:
    """The answers, or how many layers the question must hold."""
    status, *found = reply
    if status == scripts.UNKNOWN:
        return [Seen.MAYBE] * count
    if status == scripts.MORE_LAYERS:
        return int(found[0])
    return [Seen.MAYBE if one else Seen.NO for one in found]


class AsyncRedisSeenIndex:
    """For serving: one round trip per question. `run_script(script, keys, arguments)` is its guarded way to Redis; what that raises is raised."""

    def __init__(self, run_script: Callable[[str, list[str], list[Any]], Awaitable[Any]], namespace: str = DEFAULT_NAMESPACE) -> None:
        self._run_script = run_script
        self._layout = Layout(namespace)
        self._layers = FIRST_LAYERS

    async def maybe_seen(self, items: Sequence[str], today: date, days: int = WINDOW_DAYS) -> list[Seen]:
        while items:
            keys, arguments = self._layout.question(items, today, days, self._layers)
            answers = answers_of(await self._run_script(scripts.LOOKUP, keys, arguments), len(items))
            if not isinstance(answers, int):
                return answers
            self._layers = answers
        return []

    async def seen(self, entity: str, now: datetime) -> Literal["MAYBE", "NO"]:
        """In the seven UTC days up to `now`."""
        [answer] = await self.seen_many([entity], now)
        return answer

    async def seen_many(self, entities: Sequence[str], now: datetime) -> list[Literal["MAYBE", "NO"]]:
        answers = await self.maybe_seen(entities, now.astimezone(UTC).date())
        return ["NO" if answer is Seen.NO else "MAYBE" for answer in answers]
