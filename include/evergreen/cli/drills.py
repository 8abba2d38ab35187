"""Drills: faults on purpose, through the real doors."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.bootstrap import Parts
    from evergreen.ports.model import ModelSpec
    from evergreen.services.training import Candidate, TrainingWindow


class BadModelDrill:
    """A challenger that learned the contrary of what happened, submitted like any model trained elsewhere."""

    def __init__(self, parts: Parts, spec: ModelSpec) -> None:
        self._parts = parts
        self._spec = spec

    def submit_bad(self) -> str:
        from evergreen.services.submit import Submit

        parts = self._parts
        submit = Submit(parts.store, parts.clock, parts.registry, parts.lake)
        return submit.run(self._spec, key=f"bad-model-{parts.clock.now():%Y-%m-%d}", fit=_fit_contrary).name


def _fit_contrary(spec: ModelSpec, table: pd.DataFrame, window: TrainingWindow) -> Candidate:
    from evergreen.domains.videos.bad import fit_bad
    from evergreen.services.training import fit_candidate

    return fit_candidate(replace(spec, fit=partial(fit_bad, how="flipped")), table, window)
