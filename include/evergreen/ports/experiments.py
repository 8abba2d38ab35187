"""Experiments on people: their table, what was counted of them, and what the gates are told."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from evergreen.core.experiment import Experiment
from evergreen.core.experiment_verdict import Counts, Found
from evergreen.core.served_form import ExperimentOutcome
from evergreen.ports.model_store import DeployTransaction
from evergreen.ports.storage import Lease

ExperimentStatus = Literal["running", "finished", "stopped", "broken"]


@dataclass(frozen=True)
class ExperimentRow:
    """Times are platform time."""

    plan: Experiment
    metric: str
    window: timedelta
    """For which a user is counted, from the first list he was shown."""
    started_by: str
    reason: str
    started_time: datetime
    until_time: datetime
    status: ExperimentStatus = "running"
    """`finished`: by its verdict, its time or another champion. `stopped`: by a person. `broken`: its groups are not as planned."""
    ended_by: str | None = None
    ended_time: datetime | None = None
    end_reason: str | None = None
    looked_time: datetime | None = None
    found: Found | None = None
    """At the newest look; the last one stays."""


class ExperimentTable(Protocol):
    """Table `experiments`, and what `exposures` and clicks say of one."""

    def start(self, row: ExperimentRow) -> bool:
        """False, and nothing written, when there is one of this name, or another of this model runs."""

    def get(self, name: str) -> ExperimentRow | None: ...

    def newest(self, limit: int, model: str | None = None) -> Sequence[ExperimentRow]: ...

    def running(self) -> Sequence[ExperimentRow]: ...

    def last_with(self, model: str, version: int) -> ExperimentRow | None:
        """The newest that is over and whose challenger this version was."""

    def looked(self, name: str, at: datetime, found: Found) -> None:
        """Of a running one."""

    def end(self, name: str, status: ExperimentStatus, *, at: datetime, by: str, reason: str) -> bool:
        """False when it has ended already: the first end holds."""

    def counts(self, row: ExperimentRow, now: datetime) -> Sequence[Counts]:
        """In the order of its variants. Each user once, by his first list; a click counts after its list was shown, within his time."""

    def unasked(self) -> Sequence[ExperimentRow]:
        """Finished, and the evaluation of its versions was not asked for yet."""

    def asked(self, name: str) -> None: ...


class ExperimentTransaction(DeployTransaction, Protocol):
    @property
    def experiments(self) -> ExperimentTable: ...


class ExperimentStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[ExperimentTransaction]: ...


class Experiments(Protocol):
    def outcome(self, model: str, version: int) -> ExperimentOutcome | None:
        """None: none was finished with this version. Raises Unavailable."""


class NoExperiments:
    """A platform on which nobody made one."""

    def outcome(self, model: str, version: int) -> ExperimentOutcome | None:
        return None
