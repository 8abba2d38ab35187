"""The report of each retrain, put together from what is recorded and attached to the version's run in the registry.

Guarantee: the same records give the same bytes, for the registry and for whoever asks; making it again replaces it. Failure: Postgres or the
registry is away when a version was judged or deployed. Remedy: Unavailable is passed on, and the indexer tries the same message again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import structlog

from evergreen.contracts.actions import Cause
from evergreen.contracts.envelope import decode
from evergreen.contracts.errors import InvalidEvent
from evergreen.contracts.events import DataDriftDetected, GateResult, ModelDeployed, ModelEvaluationCompleted, ModelPerformanceDegraded
from evergreen.contracts.topics import payload_of
from evergreen.core.errors import EvergreenError, NotFound, Unavailable
from evergreen.core.retrain_report import Comparison, RetrainReport, Row, page
from evergreen.ports.champions import ChampionRow, DeploymentRow
from evergreen.ports.messaging import Received
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import ModelTransaction
from evergreen.ports.records import EventLog
from evergreen.ports.registry import ModelRegistry
from evergreen.ports.storage import Lease
from evergreen.ports.versions import VersionRow
from evergreen.services.version_names import parse_version

TOPICS = ("model.evaluation.completed", "model.deployed")
NAME = "report.html"
log = structlog.get_logger(__name__)


class ReportTransaction(ModelTransaction, Protocol):
    @property
    def events(self) -> EventLog: ...


class ReportStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[ReportTransaction]: ...


class RetrainReports:
    def __init__(self, store: ReportStore, registry: ModelRegistry, spec_of: Callable[[str], ModelSpec]) -> None:
        self._store = store
        self._registry = registry
        self._spec_of = spec_of

    def of_messages(self, messages: Sequence[Received]) -> tuple[()]:
        """Of each version a message speaks of. No poison here: intake reads the same topics and owns their dead letters. Raises Unavailable."""
        for message in messages:
            for version in _versions_of(message):
                try:
                    self.attach(version)
                except Unavailable:
                    raise
                except EvergreenError as error:
                    log.warning("no_report", version=version, error=str(error))
        return ()

    def attach(self, version: str) -> None:
        """Raises NotFound, Unavailable."""
        row, body = self._made(version)
        self._registry.attach(row.run_id, NAME, body, "text/html")

    def html(self, version: str) -> bytes:
        """Raises NotFound."""
        return self._made(version)[1]

    def _made(self, version: str) -> tuple[VersionRow, bytes]:
        model, number = parse_version(version)
        spec = self._spec_of(model)
        with self._store.transaction() as tx:
            row = tx.versions.get(model, number)
            if row is None:
                raise NotFound(f"there is no version {version}")
            action = None if row.action_id is None else tx.actions.get(row.action_id)
            causes = () if action is None else action.action.causes
            changes = tuple(change for cause in causes for change in _changes(tx, cause))
            known = tx.change_points.days(model)
            deployments = [one for one in tx.deployments.history(model) if one.version == number]
            champion = tx.champions.get(model)
        report = RetrainReport(
            version=row.name,
            verdict=_verdict(row),
            approved=None if row.scorecard is None else bool(row.scorecard.get("approved")),
            fate=_fate(row, champion, deployments),
            why=(("cause", row.cause), ("as of", f"{row.as_of:%Y-%m-%d %H:%M} UTC"), *((cause.type, cause.id) for cause in causes)),
            data=_data(row, row.trained_from in known),
            changes=changes,
            metric=spec.metric,
            comparison=_comparison(row),
            segments=_segments(row),
            gates=_gates(row),
            cost=(("training", f"{row.cost_seconds:.1f} s"), *_probe(row)),
            served=tuple(_deployment(one) for one in reversed(deployments)),
        )
        return row, page(report)


def _versions_of(message: Received) -> tuple[str, ...]:
    try:
        payload = payload_of(decode(message.value or b""))
    except InvalidEvent:
        return ()
    if isinstance(payload, ModelEvaluationCompleted):
        return (payload.model_version,)
    if isinstance(payload, ModelDeployed):
        return tuple(filter(None, (payload.model_version, payload.previous_version)))
    return ()


def _changes(tx: ReportTransaction, cause: Cause) -> list[Row]:
    """What one causing event says had changed; nothing when it is no longer recorded or says nothing of the kind."""
    event = next((row.event for row in tx.events.find(cause.id) if row.event.source == cause.source), None)
    try:
        payload = None if event is None else payload_of(event)
    except InvalidEvent:  # recorded by a release whose schema is no longer read
        return []
    if isinstance(payload, DataDriftDetected):
        days = f"{payload.window.first_day} … {payload.window.last_day}"
        features = [(one.name, f"distance {one.effect:.2f}, {one.direction}") for one in payload.affected_features]
        return [("inputs", f"drift score {payload.drift_score:.2f} over {payload.n} rows of {days}"), *features]
    if isinstance(payload, ModelPerformanceDegraded):
        low, high = payload.interval
        error = f"error {payload.current_performance:.4f} after {payload.baseline_performance:.4f}"
        return [("errors", f"{payload.performance_drop:+.1%} [{low:+.1%}, {high:+.1%}] over {payload.n} outcomes: {error}")]
    return []


def _verdict(row: VersionRow) -> str:
    if row.scorecard is None:
        return "not judged yet"
    failed = [gate.name for gate in _gates(row) if not gate.passed]
    return "approved" if row.scorecard.get("approved") else f"refused by {', '.join(failed)}"


def _fate(row: VersionRow, champion: ChampionRow | None, deployments: Sequence[DeploymentRow]) -> str:
    if row.quarantined is not None:
        return f"Quarantined: {row.quarantined}"
    if champion is not None and champion.version == row.version:
        return f"Serves, {'stable' if row.stable else 'in bake'}."
    if any(one.served_from for one in deployments):
        return "Served and was replaced."
    return "Approved and not promoted." if row.status == "approved" else "Not promoted." if row.status == "refused" else "Waits for its verdict."


def _data(row: VersionRow, from_change: bool) -> tuple[Row, ...]:
    card = row.scorecard or {}
    window = card.get("window")
    trained = f"{row.trained_rows} rows of {row.trained_from} … {row.trained_to}"
    judged = "none yet" if window is None else f"{card['n']} rows of {window['first_day']} … {window['last_day']}, which it has not seen"
    return (
        ("trained on", f"{trained}; from the day the world is known to have changed, {row.trained_from}" if from_change else trained),
        ("judged on", judged),
        ("rows younger than the cause", str(card.get("rows_after_as_of", 0))),
    )


def _gates(row: VersionRow) -> tuple[GateResult, ...]:
    return tuple(GateResult.model_validate(gate) for gate in (row.scorecard or {}).get("gates", []))


def _comparison(row: VersionRow) -> Comparison | None:
    numbers = next((gate.numbers for gate in _gates(row) if gate.name == "improvement"), {})
    needed = ("candidate", "reference", "relative", "relative_low", "relative_high")
    if any(name not in numbers for name in needed):
        return None
    return Comparison(str((row.scorecard or {}).get("reference", "")), *(numbers[name] for name in needed))


def _segments(row: VersionRow) -> tuple[tuple[str, float], ...]:
    numbers = next((gate.numbers for gate in _gates(row) if gate.name == "segments"), {})
    return tuple((name.removeprefix("segment_"), worse) for name, worse in sorted(numbers.items()) if name.startswith("segment_"))


def _probe(row: VersionRow) -> tuple[Row, ...]:
    numbers = next((gate.numbers for gate in _gates(row) if gate.name == "artifact"), {})
    return (("loading", f"{numbers['seconds']:.1f} s, {numbers.get('peak_mb', 0.0):.0f} MB"),) if "seconds" in numbers else ()


def _deployment(row: DeploymentRow) -> tuple[str, ...]:
    times = ("" if at is None else f"{at:%Y-%m-%d %H:%M}" for at in (row.served_from, row.served_to))
    why = row.reason if row.error is None else f"{row.reason} – {row.error}"
    return (f"{row.kind}, forced" if row.forced else row.kind, row.status, *times, why)
