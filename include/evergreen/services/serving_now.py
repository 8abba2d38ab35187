"""The version that serves, its newest window of labelled predictions, and what it is to be compared with: all that a look reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from evergreen.core.champion import rollback_targets
from evergreen.core.performance import BASELINE_ROWS, newest_days
from evergreen.ports.champions import DeploymentRow
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import ModelTransaction
from evergreen.ports.performance import LabelledPrediction
from evergreen.ports.versions import VersionRow
from evergreen.services.performance_comparison import Labelled, Serving
from evergreen.services.promote import facts_of

MAX_ROWS = 5000
"""Newest labelled predictions read at most; a busy day is judged on these."""

MAX_ASKED = 1000
"""Newest predictions an estimate looks at."""


def serving_now(tx: ModelTransaction, spec: ModelSpec, as_of: datetime, zone: ZoneInfo) -> Serving | None:
    """None: nothing serves."""
    champion = tx.champions.get(spec.name)
    version = None if champion is None else tx.versions.get(spec.name, champion.version)
    deployment = None if champion is None else tx.deployments.get(champion.deployment_id)
    if champion is None or version is None or deployment is None:
        return None
    since = deployment.served_from or champion.since
    rows = with_outcome(spec, tx.performance.labelled(spec.name, version.version, since=since, until=as_of, limit=MAX_ROWS))
    window = rows[: newest_days([_day(row.time, zone) for row, _ in rows], spec.windows.performance_rows)]
    first_day, last_day = (_day(window[-1][0].time, zone), _day(window[0][0].time, zone)) if window else (None, None)
    worse_from = tx.performance.degraded_from(spec.name, version.version, since)
    predicted, labelled = tx.performance.counts(spec.name, version.version, since=since, until=as_of)
    return Serving(
        version=version,
        deployment=deployment,
        since=since,
        window=window,
        first_day=first_day,
        last_day=last_day,
        predicted=predicted,
        labelled=labelled,
        coverage=_coverage(tx, version, since, as_of, first_day, last_day, zone),
        replaced=_replaced(tx, version, deployment),
        targets=rollback_targets([facts_of(row) for row in tx.versions.of_model(spec.name)], version.version),
        last=tx.performance.last(spec.name, version.version, since=since),
        first=[] if first_day is None else _first(tx, spec, version, since, as_of, _start_of(min(first_day, worse_from or first_day), zone)),
        breached=worse_from is not None,
        asked=tx.performance.asked(spec.name, version.version, since=since, until=as_of, limit=MAX_ASKED),
    )


def with_outcome(spec: ModelSpec, rows: Sequence[LabelledPrediction]) -> list[Labelled]:
    """Outcomes that are no label (a count that is not a number) are left out."""
    known = []
    for row in rows:
        try:
            known.append((row, spec.label_of(row.outcome) if row.label is None else row.label))
        except ValueError:
            continue
    return known


def _first(tx: ModelTransaction, spec: ModelSpec, version: VersionRow, since: datetime, as_of: datetime, before: datetime) -> list[Labelled]:
    known = tx.performance.labelled(spec.name, version.version, since=since, until=as_of, limit=BASELINE_ROWS, before=before, oldest=True)
    return with_outcome(spec, known)


def _coverage(
    tx: ModelTransaction, version: VersionRow, since: datetime, as_of: datetime, first_day: date | None, last_day: date | None, zone: ZoneInfo
) -> float:
    """Of the window's days, not of the whole time it serves: old outcomes would hide that none come any more. Without a window 0."""
    if first_day is None or last_day is None:
        return 0.0
    begins, ends = _start_of(first_day, zone), _start_of(last_day + timedelta(days=1), zone)
    predicted, labelled = tx.performance.counts(version.model, version.version, since=max(since, begins), until=as_of, before=ends)
    return labelled / predicted if predicted else 0.0


def _replaced(tx: ModelTransaction, version: VersionRow, deployment: DeploymentRow) -> int | None:
    """The champion it was promoted over. Put back by a revert or a rollback, it is still that one: what served in between failed."""
    promotions = [deployment] if deployment.kind == "promote" else tx.deployments.history(version.model)
    promoted = (row for row in promotions if row.kind == "promote" and row.version == version.version and row.served_from is not None)
    newest = next(promoted, None)
    return None if newest is None else newest.previous_version


def _day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def _start_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone)
