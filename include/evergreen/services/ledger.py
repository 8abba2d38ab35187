"""What retrains were worth: for each version its cost, what the gates promised, what its bake showed, and how it ended.

Guarantee: worth is measured once over all labelled rows of the bake, which the version and the champion before it both predicted (never a sum of
windows), and an entry is closed once, in the transaction that reports the performance. Failure: the check dies before it commits. Remedy: the next
one closes the entry. How a version ended is read from versions and deployments, so that there is one truth about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from evergreen.ports.champions import DeploymentRow
from evergreen.ports.ledger import Worth
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import ModelStore, ModelTransaction
from evergreen.ports.versions import VersionRow
from evergreen.services.bootstrap_interval import paired
from evergreen.services.row_losses import row_losses
from evergreen.services.serving_now import with_outcome

LATE = timedelta(days=1)
"""Outcomes may come so long after a version was replaced (platform time); then its entry is closed."""
MIN_ROWS = 2
MAX_ROWS = 5000
"""Labelled rows of a bake looked at, from its beginning."""


def close_ended(tx: ModelTransaction, spec: ModelSpec, now: datetime) -> list[int]:
    """Entries whose version is stable, or gone for a day. Returns the versions."""
    closed, history = tx.ledger.of_model(spec.name), tx.deployments.history(spec.name)
    ended = [row for row in tx.versions.of_model(spec.name) if row.version not in closed and _has_ended(row, history, now)]
    for row in ended:
        tx.ledger.close(replace(measured(tx, spec, row, history, now), closed=now))
    return [row.version for row in ended]


def measured(tx: ModelTransaction, spec: ModelSpec, row: VersionRow, history: Sequence[DeploymentRow], now: datetime) -> Worth:
    """So far: over its bake, or until it was replaced."""
    import numpy as np

    served = _promotion(row, history)
    if served is None or served.served_from is None or served.previous_version is None:
        return Worth(row.model, row.version, 0)
    ends = served.stable_from or served.served_to
    found = tx.performance.labelled(row.model, row.version, since=served.served_from, until=now, limit=MAX_ROWS, before=ends, oldest=True)
    both = [(one, outcome) for one, outcome in with_outcome(spec, found) if one.shadow_version == served.previous_version and one.shadow_predicted is not None]
    if len(both) < MIN_ROWS:
        return Worth(row.model, row.version, len(both))
    outcomes = np.array([outcome for _, outcome in both])
    ours = row_losses(spec, np.array([one.predicted for one, _ in both]), outcomes)
    theirs = row_losses(spec, np.array([one.shadow_predicted for one, _ in both], dtype=np.float64), outcomes)
    drop = paired(ours, theirs, spec.direction)
    avoided = float((theirs - ours).sum()) * (1.0 if spec.direction == "lower" else -1.0)
    if not np.isfinite([drop.point, drop.low, drop.high]).all():
        return Worth(row.model, row.version, len(both), avoided=avoided)
    return Worth(row.model, row.version, len(both), drop.point, drop.low, drop.high, avoided)


def outcome_of(row: VersionRow, history: Sequence[DeploymentRow]) -> str:
    """How it ended, or how far it has come; `history` newest first."""
    if any(one.kind == "rollback" and one.previous_version == row.version and one.status in ("flipped", "confirmed") for one in history):
        return "rolled back"
    own = [one for one in history if one.version == row.version]
    serves = next((one for one in own if one.served_from is not None and one.served_to is None), None)
    if serves is not None:
        return "serves, stable" if row.stable else "serves, not stable yet"
    if any(one.served_from is not None and one.status == "confirmed" for one in own):
        return "replaced"
    if own:
        return "not confirmed by serving" if own[0].status in ("cancelled", "reverted") else "being deployed"
    return {"candidate": "not judged yet", "refused": "refused", "approved": "approved, not promoted"}.get(row.status, row.status)


class ShowLedger:
    def __init__(self, store: ModelStore, specs: Mapping[str, ModelSpec]) -> None:
        self._store = store
        self._specs = specs

    def run(self, model: str, now: datetime) -> dict[str, Any]:
        """Entries oldest first, and their totals. Entries that are not closed are measured now."""
        spec = self._specs[model]
        with self._store.transaction() as tx:
            history, closed = tx.deployments.history(model), tx.ledger.of_model(model)
            versions = sorted(tx.versions.of_model(model), key=lambda row: row.version)
            entries = [_entry(row, closed.get(row.version) or measured(tx, spec, row, history, now), history) for row in versions]
        return {"model": model, "metric": spec.metric, "entries": entries, "totals": _totals(entries)}


def _entry(row: VersionRow, worth: Worth, history: Sequence[DeploymentRow]) -> dict[str, Any]:
    promised: Mapping[str, float] = next((gate["numbers"] for gate in (row.scorecard or {}).get("gates", []) if gate["name"] == "improvement"), {})
    return {
        "version": row.name,
        "cause": row.cause,
        "cost_seconds": row.cost_seconds,
        "promised": promised.get("relative"),
        "promised_interval": _interval(promised.get("relative_low"), promised.get("relative_high")),
        "realised": worth.realised,
        "realised_interval": _interval(worth.realised_low, worth.realised_high),
        "rows": worth.rows,
        "avoided": worth.avoided,
        "outcome": outcome_of(row, history),
        "closed": None if worth.closed is None else worth.closed.isoformat(),
    }


def _interval(low: float | None, high: float | None) -> list[float] | None:
    return None if low is None or high is None else [low, high]


def _totals(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    both = [one for one in entries if one["promised"] is not None and one["realised"] is not None]
    outcomes = [str(one["outcome"]) for one in entries]
    return {
        "retrains": len(entries),
        "served": sum(outcome in ("rolled back", "replaced") or outcome.startswith("serves") for outcome in outcomes),
        "refused": outcomes.count("refused"),
        "rolled_back": outcomes.count("rolled back"),
        "cost_seconds": sum(one["cost_seconds"] for one in entries),
        "compared": len(both),
        "mean_promised": sum(one["promised"] for one in both) / len(both) if both else None,
        "mean_realised": sum(one["realised"] for one in both) / len(both) if both else None,
        "avoided": sum(one["avoided"] or 0.0 for one in entries),
    }


def _has_ended(row: VersionRow, history: Sequence[DeploymentRow], now: datetime) -> bool:
    served = _promotion(row, history)
    if served is None:
        return False  # nothing was worth anything; somebody may still force it
    if served.stable_from is not None:
        return True
    return served.served_to is not None and now - served.served_to >= LATE


def _promotion(row: VersionRow, history: Sequence[DeploymentRow]) -> DeploymentRow | None:
    """The first time it served: its bake. A later one after a rollback tells nothing new of the retrain."""
    own = [one for one in history if one.version == row.version and one.kind == "promote" and one.served_from is not None and one.status != "cancelled"]
    return own[-1] if own else None
