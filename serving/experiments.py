"""Which variant of the experiment that runs a user is shown, as this worker knows it: computed in microseconds, nothing is asked.

Guarantee: while no version serves here, or one of its versions is not loaded, nobody is in an experiment here: were only some of its variants shown,
those who come meanwhile would be missing from one group. It is learned with each look at Postgres (`champion_listener`), a second after it began at
the latest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from evergreen.core.experiment import Experiment
from serving.model_slot import ModelSlots


class Assigned(NamedTuple):
    """To be told with the list (`recommendations_shown`) and, by the caller, with a click."""

    experiment: str
    variant: str
    version: int | None
    """Held by `ModelSlots`; None: the champion's."""
    params: Mapping[str, float]
    """Of `core.experiment.KNOBS`."""


class Assigner:
    def __init__(self, slots: ModelSlots) -> None:
        self._slots = slots
        self._running: dict[str, Experiment] = {}

    def follow(self, running: Sequence[Experiment]) -> None:
        self._running = {experiment.model: experiment for experiment in running}

    def variant_of(self, user: str, model: str) -> Assigned | None:
        """None: no experiment runs, it cannot run here yet, or this user is not in it: the champion answers, and nothing is counted."""
        experiment = self._running.get(model)
        if experiment is None or self._slots.current(model) is None or any(self._slots.held(model, version) is None for version in experiment.versions):
            return None
        variant = experiment.variant_of(user)
        return None if variant is None else Assigned(experiment.name, variant.name, variant.version, variant.params)
