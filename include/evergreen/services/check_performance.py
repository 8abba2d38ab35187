"""Action `performance_check`: has the serving version become worse than it was, or than the one it replaced?

Asked by an action's run (the DAG) or by the monitor, which looks without one. Guarantee: a window is tested once, whoever asks (unique row),
on outcomes known at `as_of`; luck on either side, and the luck of looking often, is taken off before anything is called degraded. The same
transaction writes the report, `model_performance_degraded`, `stable` when the bake is over, and ledger entries that have ended. Failure: two
look at once. Remedy: the one that writes second holds the champion's lock, sees the other's report and says nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from evergreen.contracts.events import ModelPerformanceDegraded
from evergreen.core.champion import bake_is_over
from evergreen.core.click_through import CLICK_WITHIN, FIRST, NEWEST, ClickThrough, click_through
from evergreen.core.clock import Clock
from evergreen.core.performance import MIN_FRESH, MIN_ROWS, is_degraded, sure_drop
from evergreen.core.release import DEFAULT_ZONE
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import ModelStore, ModelTransaction
from evergreen.ports.performance import PerformanceReport
from evergreen.ports.registry import ModelRegistry
from evergreen.ports.storage import ClaimedAction
from evergreen.services.carry_out import CarryOut, resulting_event
from evergreen.services.estimate_performance import estimate, told_estimate
from evergreen.services.ledger import close_ended
from evergreen.services.performance_comparison import Comparison, Serving
from evergreen.services.performance_findings import DEGRADED, Finding, Found, degraded_payload, seen_event, told
from evergreen.services.serving_now import serving_now


class CheckPerformance:
    def __init__(
        self,
        store: ModelStore,
        clock: Clock,
        carry_out: CarryOut,
        registry: ModelRegistry,
        spec_of: Callable[[str], ModelSpec],
        zone: str = DEFAULT_ZONE,
    ) -> None:
        self._store = store
        self._clock = clock
        self._carry_out = carry_out
        self._comparison = Comparison(registry)
        self._spec_of = spec_of
        self._zone = ZoneInfo(zone)

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        """Carry an action out."""
        action = claimed.action
        found = self._find(action.model, action.as_of, action.id)
        with self._store.transaction(claimed.lease) as tx:
            degraded, result = self._settle(tx, found, action.as_of)
            now = self._clock.now()
            events = [resulting_event(action, DEGRADED, payload, subject=payload.model_name, time=now) for payload in degraded]
            self._carry_out.complete(tx, claimed, events, result)
        return result

    def look(self, model: str, as_of: datetime) -> Mapping[str, Any]:
        """The same without an action: the monitor looks every few minutes, and an action for each would bury those that did something."""
        found = self._find(model, as_of, None)
        with self._store.transaction() as tx:
            degraded, result = self._settle(tx, found, as_of)
            tx.outbox.publish_all([seen_event(payload, self._clock.now()) for payload in degraded])
        return result

    def _find(self, model: str, as_of: datetime, action_id: UUID | None) -> Found:
        spec = self._spec_of(model)
        with self._store.transaction() as tx:
            serving = serving_now(tx, spec, as_of, self._zone)
        if serving is None:
            return Found("no_champion", None, None)
        outcome, finding = self._judge(spec, serving, as_of, action_id)
        return Found(outcome, serving, finding, estimate(spec, serving.version, serving.asked, self._zone, self._clock.now(), action_id))

    def _settle(self, tx: ModelTransaction, found: Found, as_of: datetime) -> tuple[list[ModelPerformanceDegraded], dict[str, Any]]:
        """Write what was found. Returns what is to be said (nothing where another was first) and the result."""
        serving, finding = found.serving, found.finding
        if serving is None:
            return [], told(found.outcome, None, None, stable=False)
        outcome = found.outcome
        if finding is not None and not self._is_first(tx, serving, finding):
            outcome, finding = "already_reported", None
        stable = self._becomes_stable(tx, serving, finding, as_of)
        degraded = [degraded_payload(finding)] if finding is not None and finding.report.degraded else []
        result = told(outcome, serving, finding, stable=stable)
        if found.estimate is not None:
            tx.performance.record_estimate(found.estimate)
            result["estimated"] = told_estimate(found.estimate)
        close_ended(tx, self._spec_of(serving.version.model), as_of)
        return degraded, result

    def _is_first(self, tx: ModelTransaction, serving: Serving, finding: Finding) -> bool:
        model, version = serving.version.model, serving.version.version
        tx.champions.lock(model)
        return tx.performance.last(model, version, since=serving.since) == serving.last and tx.performance.record(finding.report)

    def _judge(self, spec: ModelSpec, serving: Serving, as_of: datetime, action_id: UUID | None) -> tuple[str, Finding | None]:
        window, first_day, last_day = serving.window, serving.first_day, serving.last_day
        if len(window) < MIN_ROWS or first_day is None or last_day is None:
            return "too_few_labels", None
        if serving.last is not None and sum(row.time.isoformat() > serving.last.detail.get("newest", "") for row, _ in window) < MIN_FRESH:
            return "nothing_new", None
        compared = self._comparison.baseline(spec, serving)
        if compared is None:
            return "no_baseline", None
        drop, clicked = compared.drop, self._clicked(serving, as_of)
        report = PerformanceReport(
            model=spec.name,
            version=serving.version.version,
            first_day=first_day,
            last_day=last_day,
            n=len(window),
            coverage=serving.coverage,
            current=compared.current,
            baseline=compared.baseline,
            drop_low=drop.low,
            drop_high=drop.high,
            degraded=is_degraded(drop, spec.direction) or (clicked is not None and clicked.degraded),
            time=self._clock.now(),
            action_id=action_id,
            detail={
                "newest": max(row.time.isoformat() for row, _ in window),
                "against": compared.against,
                "drop": drop.point,
                "sure_drop": sure_drop(drop, spec.direction),
                "metric": spec.metric,
                **({} if clicked is None else {"click_through": clicked.to_json()}),
            },
        )
        if not report.degraded:
            return "fine", Finding(report, drop, clicked=clicked)
        if not is_degraded(drop, spec.direction):  # people click less: what another version's lists would have got nobody knows
            return "degraded", Finding(report, drop, clicked=clicked, by_clicks=True)
        return "degraded", Finding(report, drop, *self._comparison.way_back(spec, serving, compared.current), clicked)

    def _clicked(self, serving: Serving, as_of: datetime) -> ClickThrough | None:
        """In the newest days, beside the promotion's own window."""
        version, own_end, known_until = serving.version, serving.since + FIRST, as_of - CLICK_WITHIN
        newest = (max(own_end, known_until - NEWEST), known_until)
        with self._store.transaction() as tx:
            first, now = (
                tx.performance.clicks(version.model, version.version, since=since, until=until, within=CLICK_WITHIN)
                for since, until in ((serving.since, min(own_end, known_until)), newest)
            )
        return click_through(first, now)

    def _becomes_stable(self, tx: ModelTransaction, serving: Serving, finding: Finding | None, as_of: datetime) -> bool:
        """Whether the version became stable now."""
        breached = serving.breached or (finding is not None and finding.report.degraded)
        tested = serving.last is not None or finding is not None
        if serving.version.stable or not tested or not bake_is_over(serving.since, as_of, serving.labelled, breached):
            return False
        tx.versions.mark_stable(serving.version.model, serving.version.version)
        tx.deployments.mark_stable(serving.deployment.id, self._clock.now())
        return True
