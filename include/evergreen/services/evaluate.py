"""Action `evaluate`: a candidate against the champion on the same held-out rows, through the gates; ends in
`model_evaluation_completed` with every gate's numbers, or, where one is asked for, in a shadow trial whose end asks again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from evergreen.contracts.actions import Action
from evergreen.contracts.events import GateResult, ModelEvaluationCompleted, Window
from evergreen.core import evaluation as verdict
from evergreen.core.errors import NotEnoughData, NotFound
from evergreen.core.evaluation import Scorecard
from evergreen.core.served_form import experiment
from evergreen.ports.experiments import Experiments
from evergreen.ports.model import ModelSpec
from evergreen.ports.registry import LoadedVersion
from evergreen.ports.storage import ClaimedAction
from evergreen.ports.traffic import RecordedRequest
from evergreen.ports.versions import VersionRow
from evergreen.services.carry_out import resulting_event
from evergreen.services.gates import Reference, Trial, run_gates
from evergreen.services.gates_served import ServedForm
from evergreen.services.held_out import Own, judged_days, own_errors, younger
from evergreen.services.model_work import ModelWork
from evergreen.services.shadow_trial import ShadowTrialStep
from evergreen.services.training import feature_table, read_silver, rows_between
from evergreen.services.version_names import parse_version

if TYPE_CHECKING:
    import pandas as pd


class Evaluate:
    def __init__(self, work: ModelWork, experiments: Experiments, trials: ShadowTrialStep | None = None) -> None:
        self._work = work
        self._experiments = experiments
        self._trials = trials

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        action = claimed.action
        model, number = parse_version(action.target)
        spec = self._work.spec_of(model)
        with self._work.store.transaction() as tx:
            row = tx.versions.get(model, number)
            serving = tx.champions.get(model)
            champion = None if serving is None else tx.versions.get(model, serving.version)
        if row is None:
            raise NotFound(f"there is no version {action.target}")
        if serving is not None and champion is None:
            raise NotFound(f"{serving.name} serves, but no version of that number is recorded: nothing to compare with")
        judged = self._judge(spec, row, champion, action.as_of)
        card = judged if self._trials is None else self._trials.judged(row, champion, judged)
        if card is None and self._trials is not None and champion is not None:
            return self._trials.begin(claimed, row, champion)
        card = card or judged
        self._show(row, card)
        payload = _payload(card, model, champion)
        result = {"model_version": row.name, "approved": card.approved, "failed_gates": list(card.failed), "n": card.n}
        with self._work.store.transaction(claimed.lease) as tx:
            tx.versions.judge(model, number, "approved" if card.approved else "refused", _stored(card, champion, action))
            event = resulting_event(action, "model_evaluation_completed", payload, subject=model, time=self._work.clock.now(), target=action.target)
            self._work.carry_out.complete(tx, claimed, [event], result)
        return result

    def _judge(self, spec: ModelSpec, row: VersionRow, champion: VersionRow | None, as_of: datetime) -> Scorecard:
        reference_name = spec.baseline_name if champion is None else champion.name
        loaded: list[LoadedVersion] = []
        safe = run_gates([("quarantine", partial(_not_quarantined, row)), ("artifact", lambda: self._probed(spec, row, loaded))])
        if not all(result.passed for result in safe):
            return Scorecard(row.name, reference_name, tuple(safe))
        (candidate,) = loaded
        try:
            table = feature_table(spec, read_silver(self._work.lake, spec, as_of), as_of)
            first, last = judged_days(spec, table, row)
        except NotEnoughData as error:
            return Scorecard(row.name, reference_name, (*safe, verdict.gate("rows", False, str(error))))
        rows = rows_between(spec, table, first, last)
        trial = Trial(spec, candidate, row.name, row.trained_to, rows, lambda: self._reference(spec, row, champion, table))
        asked, explained = partial(self._asked, spec, champion, as_of), partial(self._explained, champion)
        form = ServedForm(spec, candidate, rows, partial(self._work.registry.compiled, spec, row.version), safe[-1].numbers, asked, explained)
        gates = (*safe, *run_gates([*trial.gates(), *form.gates(), ("experiment", partial(self._experiment, row))]))
        own: list[Own] = []
        gates = (*gates, *run_gates([("baseline", lambda: _baseline(own_errors(spec, candidate, row, table), own))]))
        errors, expected = own[0] if own else ((), 0.0)
        return Scorecard(row.name, reference_name, gates, first, last, len(rows), errors, younger(spec, row, rows, table, as_of), expected)

    def _probed(self, spec: ModelSpec, row: VersionRow, loaded: list[LoadedVersion]) -> GateResult:
        """Loaded here, too, into `loaded`, once the child survived it."""
        measured = self._work.registry.probe(spec, row.version)
        loaded.append(self._work.registry.load(spec, row.version))
        detail = f"verified and loaded in a child process in {measured['seconds']:.1f} s with {measured['peak_mb']:.0f} MB"
        return verdict.gate("artifact", True, detail, **measured)

    def _reference(self, spec: ModelSpec, row: VersionRow, champion: VersionRow | None, table: pd.DataFrame) -> Reference:
        if champion is not None:
            predictor = self._work.registry.load(spec, champion.version).predictor
            chances = None if spec.chances is None else partial(spec.chances, predictor)
            return Reference(champion.name, predictor.predict, champion.trained_to, chances)
        return Reference(spec.baseline_name, spec.baseline(rows_between(spec, table, row.trained_from, row.trained_to)))

    def _asked(self, spec: ModelSpec, champion: VersionRow | None, as_of: datetime) -> Sequence[RecordedRequest]:
        if champion is None:
            return ()
        with self._work.store.transaction() as tx:
            return tx.traffic.newest(spec.name, champion.version, until=as_of, limit=spec.gates.traffic_rows)

    def _explained(self, champion: VersionRow | None) -> str:
        """Why answers may differ from the champion's; empty when nothing is known that explains it."""
        if champion is None:
            return ""
        with self._work.store.transaction() as tx:
            change = next((day for day in reversed(tx.change_points.days(champion.model)) if day > champion.trained_from), None)
            degraded = tx.performance.degraded_from(champion.model, champion.version, champion.as_of) is not None
        if change is not None:
            return f"the world is known to have changed on {change}, and {champion.name} was trained on days before"
        return f"{champion.name} was found degraded" if degraded else ""

    def _experiment(self, row: VersionRow) -> GateResult:
        return experiment(self._experiments.outcome(row.model, row.version))

    def _show(self, row: VersionRow, card: Scorecard) -> None:
        """In the registry's UI: verdict as tags, the whole card as a file of the run. The page to read comes from the indexer."""
        self._work.registry.attach(row.run_id, "scorecard.json", json.dumps(card.to_json(), indent=2).encode(), "application/json")
        gates = {f"evergreen.gate.{result.name}": ("passed: " if result.passed else "failed: ") + result.detail for result in card.gates}
        summary = {"evergreen.verdict": "approved" if card.approved else "refused", "evergreen.compared_with": card.reference}
        self._work.registry.annotate(row.model, row.version, {**summary, **gates})


def _baseline(measured: Own, own: list[Own]) -> GateResult:
    """What the version's performance is compared with later: kept in `own` when every one is a number."""
    errors, expected = measured
    finite = all(map(math.isfinite, errors))
    if finite:
        own.append((errors, expected if math.isfinite(expected) else 0.0))
    detail = f"{len(errors)} own errors on rows it has not seen" if finite else "its errors on rows it has not seen are not all numbers"
    return verdict.gate("baseline", finite and len(errors) > 0, detail, n=len(errors))


def _not_quarantined(row: VersionRow) -> GateResult:
    return verdict.gate("quarantine", row.quarantined is None, row.quarantined or "not quarantined")


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
