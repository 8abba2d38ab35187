"""Experiments on people: started and stopped by a person, told of, and what the gates hear of one.

Guarantee: at most one runs per model; who started and who ended each is recorded, and said as an alert, in the same transaction. Failure: two
start one at once. Remedy: the table takes one, the other is refused with the running one's name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from evergreen.core.clock import Clock
from evergreen.core.errors import InvalidRequest, NotFound
from evergreen.core.experiment import CTR, Experiment, Variant, check_plan
from evergreen.core.experiment_verdict import Found
from evergreen.core.served_form import ExperimentOutcome
from evergreen.ports.experiments import ExperimentRow, ExperimentStore, ExperimentTransaction
from evergreen.ports.model import ModelSpec
from evergreen.services.experiment_alerts import experiment_ended, experiment_started
from evergreen.services.raise_alert import raise_alerts

CONTROL = "control"
WINDOW_HOURS = 24.0
DAYS = 28.0


@dataclass(frozen=True)
class NewExperiment:
    name: str
    model: str
    challengers: Sequence[Variant]
    """With a version, with what it sets, with both; with neither it is a second control, which shows that nothing is found where nothing is."""
    share: float
    who: str
    reason: str
    control_weight: float = 1.0
    window_hours: float = WINDOW_HOURS
    days: float = DAYS


class RunExperiments:
    def __init__(self, store: ExperimentStore, clock: Clock, specs: Mapping[str, ModelSpec]) -> None:
        self._store = store
        self._clock = clock
        self._specs = specs

    def start(self, asked: NewExperiment) -> ExperimentRow:
        """Raises InvalidRequest, NotFound, Unavailable."""
        if asked.model not in self._specs:
            raise NotFound(f"no model {asked.model!r}; known: {', '.join(self._specs)}")
        if not asked.reason.strip():
            raise InvalidRequest("an experiment needs a reason: others will ask what it is to find out")
        plan = Experiment(asked.name, asked.model, (Variant(CONTROL, asked.control_weight), *asked.challengers), asked.share)
        check_plan(plan, window_hours=asked.window_hours, days=asked.days)
        now = self._clock.now()
        until, window = now + timedelta(days=asked.days), timedelta(hours=asked.window_hours)
        with self._store.transaction() as tx:
            row = ExperimentRow(_named(tx, plan), CTR, window, asked.who, asked.reason.strip(), now, until)
            if not tx.experiments.start(row):
                raise InvalidRequest(_taken(tx, plan))
            raise_alerts(tx, [experiment_started(row)])
        return row

    def stop(self, name: str, *, who: str, reason: str) -> ExperimentRow:
        """What it found until now stays, and counts: it may be looked at whenever one likes. One that has ended stays as it is."""
        now = self._clock.now()
        with self._store.transaction() as tx:
            row = _require(tx, name)
            if tx.experiments.end(name, "stopped", at=now, by=who, reason=reason):
                raise_alerts(tx, [experiment_ended(row, "stopped", by=who, reason=reason, at=now)])
            return _require(tx, name)

    def get(self, name: str) -> ExperimentRow:
        """Raises NotFound."""
        with self._store.transaction() as tx:
            return _require(tx, name)

    def newest(self, limit: int, model: str | None = None) -> Sequence[ExperimentRow]:
        with self._store.transaction() as tx:
            return tx.experiments.newest(limit, model)


class RecordedExperiments:
    """What gate `experiment` is told: the newest one that is over, against the version that serves now."""

    def __init__(self, store: ExperimentStore) -> None:
        self._store = store

    def outcome(self, model: str, version: int) -> ExperimentOutcome | None:
        with self._store.transaction() as tx:
            row, champion = tx.experiments.last_with(model, version), tx.champions.get(model)
        if row is None or row.found is None or champion is None or row.plan.variants[0].version != champion.version:
            return None
        at = next(at for at, variant in enumerate(row.plan.variants) if variant.version == version)
        control, challenger = row.found.variants[0], row.found.variants[at]
        relative, n = challenger.relative, control.counts.users + challenger.counts.users
        if row.status == "broken":
            return ExperimentOutcome(row.plan.name, n, *_numbers(row.found, at), groups_as_planned=False)
        if relative is None:
            return None
        return ExperimentOutcome(row.plan.name, n, relative.point, relative.low, relative.high, groups_as_planned=True)


def _numbers(found: Found, at: int) -> tuple[float, float, float]:
    relative = found.variants[at].relative
    return (math.nan, math.nan, math.nan) if relative is None else (relative.point, relative.low, relative.high)


def _named(tx: ExperimentTransaction, plan: Experiment) -> Experiment:
    """Where a challenger is a version, everybody else in the experiment is shown the one that serves now, by its number."""
    if not plan.versions:
        return plan
    champion = tx.champions.get(plan.model)
    if champion is None:
        raise InvalidRequest(f"no version of {plan.model} serves: there is nothing to compare with")
    for number in sorted(plan.versions):
        row = tx.versions.get(plan.model, number)
        if row is None:
            raise InvalidRequest(f"there is no version {plan.model}@{number}")
        if number == champion.version:
            raise InvalidRequest(f"{row.name} serves already: it is the control")
        if row.quarantined is not None or row.status == "refused":
            raise InvalidRequest(f"{row.name} is not shown to people: {row.quarantined or 'the gates refused it'}")
    return replace(plan, variants=tuple(replace(one, version=champion.version if one.version is None else one.version) for one in plan.variants))


def _taken(tx: ExperimentTransaction, plan: Experiment) -> str:
    if tx.experiments.get(plan.name) is not None:
        return f"there is an experiment {plan.name!r} already; its name decides who is shown what, so each has its own"
    running = [one.plan.name for one in tx.experiments.running() if one.plan.model == plan.model]
    return f"{', '.join(running) or 'another experiment'} runs for {plan.model}: one at a time, `evergreen experiments stop` ends it"


def _require(tx: ExperimentTransaction, name: str) -> ExperimentRow:
    row = tx.experiments.get(name)
    if row is None:
        raise NotFound(f"no experiment {name!r}")
    return row


def experiment_said(row: ExperimentRow) -> dict[str, Any]:
    """For people and programs: the plan, its state, and what was found at the newest look."""
    found = {} if row.found is None else {one.name: one for one in row.found.variants}
    variants = []
    for variant, share in zip(row.plan.variants, row.plan.shares, strict=True):
        one = found.get(variant.name)
        counts = {} if one is None else {name: getattr(one.counts, name) for name in ("exposed", "users", "lists", "clicks", "clickers")}
        seen = {"ctr": None, "relative": None} if one is None else {"ctr": one.ctr and asdict(one.ctr), "relative": one.relative and asdict(one.relative)}
        variants.append({**variant.to_json(), "planned": share, "counts": counts or None, **seen, "verdict": None if one is None else one.word})
    times = {name: getattr(row, name) for name in ("started_time", "until_time", "ended_time", "looked_time")}
    return {
        "name": row.plan.name,
        "model": row.plan.model,
        "status": row.status,
        "share": row.plan.share,
        "metric": row.metric,
        "window_hours": row.window / timedelta(hours=1),
        "says": "it was not looked at yet" if row.found is None else row.found.says,
        "groups_as_planned": None if row.found is None else not row.found.broken,
        "variants": variants,
        "started_by": row.started_by,
        "reason": row.reason,
        "ended_by": row.ended_by,
        "end_reason": row.end_reason,
        **{name: None if time is None else time.isoformat() for name, time in times.items()},
    }
