"""The parts of the intake worker, and of whoever asks whether the loop is idle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from evergreen.adapters.kafka import KafkaMessenger
from evergreen.adapters.kafka_lag import KafkaLag
from evergreen.adapters.policy_file import PolicyFile
from evergreen.core.rules import Policy
from evergreen.services.intake import TakeIn
from evergreen.services.quiescence import Quiescence
from evergreen.services.relay import Relay
from evergreen.services.running_policy import ActivePolicy, RunningPolicy
from evergreen.services.shadow_policy import ShadowPolicy
from evergreen.services.sweep import Sweep
from evergreen.services.tick import Tick

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts


class IntakeParts:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settings = parts.settings

    @cached_property
    def catalogue(self) -> Mapping[str, Sequence[str]]:
        """Model -> datasets that feed it."""
        return {name: spec.datasets for name, spec in self._parts.specs.items()}

    @cached_property
    def running_policy(self) -> RunningPolicy:
        return RunningPolicy(PolicyFile(self._settings.policy.path), self._parts.store, self._parts.clock)

    @cached_property
    def take_in(self) -> TakeIn:
        return TakeIn(self._parts.store, self._parts.clock, self.catalogue, self.running_policy.current, self.shadow_policy.current)

    @cached_property
    def shadow_policy(self) -> ShadowPolicy:
        return ShadowPolicy(self._parts.store)

    @cached_property
    def tick(self) -> Tick:
        return self._tick(self.running_policy.current)

    def _tick(self, policy: Callable[[], Policy]) -> Tick:
        full_window_days = {name: spec.windows.full_window_days for name, spec in self._parts.specs.items()}
        return Tick(self._parts.store, self._parts.clock, self.catalogue, full_window_days, policy, self.take_in)

    @cached_property
    def sweep(self) -> Sweep:
        return Sweep(self._parts.store, self._parts.clock, self.tick)

    @cached_property
    def relay(self) -> Relay:
        return Relay(self._parts.store, KafkaMessenger(self._settings.kafka))

    @cached_property
    def active_policy(self) -> ActivePolicy:
        """For whoever only looks."""
        return ActivePolicy(self._parts.store, PolicyFile(self._settings.policy.path))

    @cached_property
    def quiescence(self) -> Quiescence:
        """For another process than the worker's: it reads the policy in force and puts none in force itself."""
        tick = self._tick(self.active_policy.current)
        return Quiescence(self._parts.store, KafkaLag(self._settings.kafka.bootstrap_servers), self._parts.clock, tick)
