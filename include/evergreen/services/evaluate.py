"""Action `evaluate`: a candidate against the champion on the same held-out rows, through the gates; always ends in
`model_evaluation_completed` with every gate's numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from evergreen.contracts.actions import Action
from evergreen.contracts.events import GateResult, ModelEvaluationCompleted, Window
from evergreen.core import evaluation as verdict
from evergreen.core.clock import Clock
from evergreen.core.errors import ArtifactRefused, NotEnoughData, NotFound
from evergreen.core.evaluation import Scorecard
from evergreen.core.evaluation_report import Origin, markdown
from evergreen.core.release import last_released_day
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import ModelStore
from evergreen.ports.registry import LoadedVersion, ModelRegistry
from evergreen.ports.storage import ClaimedAction
from evergreen.ports.versions import VersionRow
from evergreen.services.carry_out import CarryOut, resulting_event
from evergreen.services.gates import Reference, Trial, run_gates
from evergreen.services.row_losses import losses_on
from evergreen.services.training import Silver, evaluation_days, feature_table, read_silver, rows_between
from evergreen.services.version_names import parse_version

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

MEDIAN = "median"


class Evaluate:
    def __init__(
        self, store: ModelStore, clock: Clock, carry_out: CarryOut, registry: ModelRegistry, lake: Silver, spec_of: Callable[[str], ModelSpec]
    ) -> None:
        self._store = store
        self._clock = clock
        self._carry_out = carry_out
        self._registry = registry
        self._lake = lake
        self._spec_of = spec_of

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        action = claimed.action
        model, number = parse_version(action.target)
        spec = self._spec_of(model)
        with self._store.transaction() as tx:
            row = tx.versions.get(model, number)
            serving = tx.champions.get(model)
            champion = None if serving is None else tx.versions.get(model, serving.version)
        if row is None:
            raise NotFound(f"there is no version {action.target}")
        if serving is not None and champion is None:
            raise NotFound(f"{serving.name} serves, but no version of that number is recorded: nothing to compare with")
        card = self._judge(spec, row, champion, action.as_of)
        self._show(row, card)
        payload = _payload(card, model, champion)
        result = {"model_version": row.name, "approved": card.approved, "failed_gates": list(card.failed), "n": card.n}
        with self._store.transaction(claimed.lease) as tx:
            tx.versions.judge(model, number, "approved" if card.approved else "refused", _stored(card, champion, action))
            event = resulting_event(action, "model_evaluation_completed", payload, subject=model, time=self._clock.now(), target=action.target)
            self._carry_out.complete(tx, claimed, [event], result)
        return result

    def _judge(self, spec: ModelSpec, row: VersionRow, champion: VersionRow | None, as_of: datetime) -> Scorecard:
        reference_name = MEDIAN if champion is None else champion.name
        safe = run_gates([("quarantine", partial(_not_quarantined, row)), ("artifact", lambda: self._probed(spec, row))])
        if not all(result.passed for result in safe):
            return Scorecard(row.name, reference_name, tuple(safe))
        try:
            candidate = self._registry.load(spec, row.version)
            table = feature_table(spec, read_silver(self._lake, spec, as_of), as_of)
            first, last = evaluation_days(spec, table)
        except (ArtifactRefused, NotEnoughData) as error:
            return Scorecard(row.name, reference_name, (*safe, verdict.gate("rows", False, str(error))))
        rows = rows_between(spec, table, first, last)
        trial = Trial(spec, candidate, row.name, row.trained_to, rows, lambda: self._reference(spec, row, champion, table))
        gates = (*safe, *run_gates(trial.gates()))
        sane = next(result for result in gates if result.name == "predictions").passed
        errors = _own_errors(spec, candidate, row, table) if sane else ()
        return Scorecard(row.name, reference_name, gates, first, last, len(rows), errors, _younger(spec, row, rows, table, as_of))

    def _probed(self, spec: ModelSpec, row: VersionRow) -> GateResult:
        measured = self._registry.probe(spec, row.version)
        detail = f"verified and loaded in a child process in {measured['seconds']:.1f} s with {measured['peak_mb']:.0f} MB"
        return verdict.gate("artifact", True, detail, **measured)

    def _reference(self, spec: ModelSpec, row: VersionRow, champion: VersionRow | None, table: pd.DataFrame) -> Reference:
        if champion is not None:
            return Reference(champion.name, self._registry.load(spec, champion.version).predictor.predict, champion.trained_to)
        median = spec.baseline(rows_between(spec, table, row.trained_from, row.trained_to))

        def constant(features: pd.DataFrame) -> NDArray[np.float64]:
            import numpy as np

            return np.full(len(features), median)

        return Reference(MEDIAN, constant)

    def _show(self, row: VersionRow, card: Scorecard) -> None:
        """In the registry's UI: verdict as tags, the whole card and a page to read as files of the run."""
        self._registry.attach(row.run_id, "scorecard.json", json.dumps(card.to_json(), indent=2).encode(), "application/json")
        origin = Origin(row.cause, f"{row.trained_from} … {row.trained_to}", row.trained_rows, row.cost_seconds, row.metrics)
        self._registry.attach(row.run_id, "report.md", markdown(card, origin).encode(), "text/markdown")
        gates = {f"evergreen.gate.{result.name}": ("passed: " if result.passed else "failed: ") + result.detail for result in card.gates}
        summary = {"evergreen.verdict": "approved" if card.approved else "refused", "evergreen.compared_with": card.reference}
        self._registry.annotate(row.model, row.version, {**summary, **gates})


def _not_quarantined(row: VersionRow) -> GateResult:
    return verdict.gate("quarantine", row.quarantined is None, row.quarantined or "not quarantined")


def _own_errors(spec: ModelSpec, candidate: LoadedVersion, row: VersionRow, table: pd.DataFrame) -> tuple[float, ...]:
    """On held-out rows, newest days first until there are enough; every row after its training is held out. Its performance baseline."""
    days = table[spec.time_column].dt.date
    unseen = table[(days > row.trained_to) & table[spec.target].notna()].sort_values(spec.time_column, kind="stable")
    kept = unseen[unseen[spec.time_column] >= _from_day(spec, unseen)]
    predicted = candidate.predictor.predict(kept[list(spec.feature_names)])
    return tuple(float(error) for error in losses_on(spec, predicted, kept))


def _from_day(spec: ModelSpec, rows: pd.DataFrame) -> pd.Timestamp:
    """The latest day from which on there are `performance_rows` rows, at least the evaluation window's days."""
    counts = rows.groupby(spec.time_column).size().sort_index(ascending=False)
    enough = counts.cumsum() >= spec.windows.performance_rows
    needed = int(enough.to_numpy().argmax()) + 1 if enough.any() else len(counts)
    start: pd.Timestamp = counts.index[min(max(needed, spec.windows.evaluation_days), len(counts)) - 1]
    return start


def _younger(spec: ModelSpec, row: VersionRow, rows: pd.DataFrame, table: pd.DataFrame, as_of: datetime) -> int:
    """Rows used that were not known yet: of the evaluation at its time, of the training at the version's. Must be 0."""
    trained = rows_between(spec, table, row.trained_from, row.trained_to)[spec.time_column].dt.date
    return int((rows[spec.time_column].dt.date > last_released_day(as_of)).sum() + (trained > last_released_day(row.as_of)).sum())


def _stored(card: Scorecard, champion: VersionRow | None, action: Action) -> dict[str, Any]:
    judged_against = None if champion is None else champion.version
    return {**card.to_json(), "judged_against": judged_against, "action_id": str(action.id), "as_of": action.as_of.isoformat()}


def _payload(card: Scorecard, model: str, champion: VersionRow | None) -> ModelEvaluationCompleted:
    window = Window(first_day=card.first_day, last_day=card.last_day) if card.first_day and card.last_day else None
    return ModelEvaluationCompleted(
        model_name=model,
        model_version=card.model_version,
        champion_version=None if champion is None else champion.name,
        approved=card.approved,
        window=window,
        n=card.n,
        gates=card.gates,
        rows_after_as_of=card.rows_after_as_of,
    )
