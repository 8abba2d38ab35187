"""Who answers for each model, as one reference that is exchanged whole.

Guarantee: a request takes the reference once and finishes with it, so no answer comes from two versions and none waits for a swap. The
previous champion stays loaded: going back to it is one exchange too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from evergreen.core.errors import NoChampion
from evergreen.ports.serving import Champion, LoadedModel

Key = tuple[str, int]


class ModelSlots:
    def __init__(self) -> None:
        self._champions: dict[str, Champion] = {}
        self._previous: dict[str, Key] = {}
        self._loaded: dict[Key, LoadedModel] = {}
        self.slept: Callable[[], bool] = lambda: False
        """Asked before each answer: whether this process may have missed something."""
        self.awake: Callable[[], Awaitable[None]] | None = None
        """Waits until it knows again."""

    def at_once(self, model: str) -> Champion | None:
        """Without waiting. None: ask `champion`."""
        return None if self.slept() else self._champions.get(model)

    async def champion(self, model: str) -> Champion:
        if self.awake is not None and self.slept():
            await self.awake()
        champion = self._champions.get(model)
        if champion is None:
            raise NoChampion(f"no version of {model} serves yet: train one (`evergreen models train {model}`) or wait until this worker has loaded it")
        return champion

    def current(self, model: str) -> Champion | None:
        return self._champions.get(model)

    def serving(self) -> dict[str, dict[str, int]]:
        """As `serving_workers.serving` holds it."""
        return {model: {"version": champion.loaded.version, "epoch": champion.epoch} for model, champion in self._champions.items()}

    def hold(self, loaded: LoadedModel) -> None:
        self._loaded[(loaded.spec.name, loaded.version)] = loaded

    def held(self, model: str, version: int) -> LoadedModel | None:
        return self._loaded.get((model, version))

    def swap(self, champion: Champion) -> None:
        model = champion.loaded.spec.name
        before = self._champions.get(model)
        if before is not None and before.loaded.version != champion.loaded.version:
            self._previous[model] = (model, before.loaded.version)
        self._champions[model] = champion

    def retire(self, wanted: Collection[Key]) -> None:
        """Let go of every version that is neither wanted, serving nor the one before."""
        kept = {*wanted, *self._previous.values(), *((name, champion.loaded.version) for name, champion in self._champions.items())}
        for key in [key for key in self._loaded if key not in kept]:
            del self._loaded[key]
