"""What experiments on people found out about a version, where there was one."""

from __future__ import annotations

from typing import Protocol

from evergreen.core.served_form import ExperimentOutcome


class Experiments(Protocol):
    def outcome(self, model: str, version: int) -> ExperimentOutcome | None:
        """None: none was finished with this version. Raises Unavailable."""


class NoExperiments:
    """A platform on which nobody made one."""

    def outcome(self, model: str, version: int) -> ExperimentOutcome | None:
        return None
