"""From one look at Postgres to what this process answers with: versions are loaded, champions exchanged, canaries let in, the rest let go."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import structlog

from evergreen.ports.serving import Canary, Champion, ChampionNow, Fleet
from serving.canary import Canaries
from serving.model_slot import Key, ModelSlots
from serving.version_loads import VersionLoads

log = structlog.get_logger(__name__)


class Memory(Protocol):
    """Who served last, kept across restarts."""

    def read(self) -> Sequence[ChampionNow]: ...
    def keep(self, champions: Sequence[ChampionNow]) -> None: ...


class Following:
    def __init__(self, slots: ModelSlots, loads: VersionLoads, memory: Memory, canaries: Canaries, on_swap: Callable[[str, float], None] | None) -> None:
        self._slots = slots
        self._loads = loads
        self._memory = memory
        self._canaries = canaries
        self._on_swap = on_swap
        self._learned: dict[tuple[str, int], float] = {}

    def serves(self, champion: ChampionNow) -> bool:
        current = self._slots.current(champion.model)
        return current is not None and current.epoch == champion.epoch and current.loaded.version == champion.version

    def follow(self, fleet: Fleet) -> None:
        wanted: list[Key] = [(c.model, c.version) for c in fleet.champions]
        wanted += [(p.model, p.version) for p in fleet.preparing]
        wanted += [(c.model, c.shadow_version) for c in fleet.champions if c.shadow_version is not None]
        wanted += [(experiment.model, version) for experiment in fleet.experiments for version in sorted(experiment.versions)]
        self._loads.ensure(wanted)
        swapped = [self._swap(champion, self._canary(champion, fleet)) for champion in fleet.champions]
        if any(swapped):
            self._keep(fleet)
        self._canaries.forget(fleet.preparing)
        self._slots.retire(wanted)

    def _canary(self, champion: ChampionNow, fleet: Fleet) -> Canary | None:
        for wanted in fleet.preparing:
            if wanted.model == champion.model and wanted.share > 0 and (loaded := self._slots.held(wanted.model, wanted.version)) is not None:
                return self._canaries.of(wanted, loaded, champion.epoch)
        return None

    def _swap(self, champion: ChampionNow, canary: Canary | None) -> bool:
        """True when another version or epoch answers from now on."""
        shadow = None if champion.shadow_version is None else self._slots.held(champion.model, champion.shadow_version)
        current = self._slots.current(champion.model)
        if current is not None and self.serves(champion):
            if current.shadow is not shadow or current.canary is not canary:
                self._slots.swap(replace(current, shadow=shadow, canary=canary))
                names = {"shadow": shadow.name if shadow else None, "canary": canary.champion.loaded.name if canary else None}
                log.info("beside_champion_changed", version=current.loaded.name, **names)
            return False
        learned = self._learned.setdefault((champion.model, champion.epoch), time.monotonic())
        loaded = self._slots.held(champion.model, champion.version)
        if loaded is None:
            return False
        self._slots.swap(Champion(loaded, champion.epoch, shadow, canary))
        del self._learned[(champion.model, champion.epoch)]
        seconds = time.monotonic() - learned
        log.info("champion_swapped", version=loaded.name, epoch=champion.epoch, seconds=round(seconds, 3), shadow=shadow.name if shadow else None)
        if self._on_swap is not None:
            self._on_swap(champion.model, seconds)
        return True

    def _keep(self, fleet: Fleet) -> None:
        try:
            self._memory.keep(fleet.champions)
        except OSError as error:
            log.warning("champions_not_remembered", error=str(error))
