"""What is known of models, versions and who served when, as plain JSON values: for the command line and for serving."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose, sqrt
from typing import Any

from evergreen.contracts.actions import ActionKind
from evergreen.core.errors import NotFound
from evergreen.ports.champions import ChampionRow, DeploymentRow
from evergreen.ports.model import ModelSpec
from evergreen.ports.model_store import ModelStore
from evergreen.ports.registry import ModelRegistry
from evergreen.ports.storage import ActionRow
from evergreen.ports.versions import ShownVersion, Spread, VersionRow
from evergreen.services.champion_projection import aliases_of
from evergreen.services.estimate_performance import told_estimate
from evergreen.services.version_names import parse_version, version_name


class ShowModels:
    def __init__(self, store: ModelStore, registry: ModelRegistry, specs: Mapping[str, ModelSpec]) -> None:
        self._store = store
        self._registry = registry
        self._specs = specs

    def overview(self) -> list[dict[str, Any]]:
        """Each model with its champion, the versions to come, and its versions, newest first."""
        return [self._model(model) for model in self._specs]

    def versions(self, model: str, limit: int, before: int | None = None) -> tuple[list[dict[str, Any]], int | None]:
        """Newest first, those with a lower number than `before`; and where the next page begins."""
        self._known(model)
        with self._store.transaction() as tx:
            champion, aliases = tx.champions.get(model), aliases_of(tx, model)
            found = tx.versions.page(model, limit + 1, before)
        page = found[:limit]
        return [self._summary(one, champion, aliases) for one in page], page[-1].row.version if len(found) > limit else None

    def history(self, model: str) -> list[dict[str, Any]]:
        """Every deployment, newest first: which version served from when to when, and why."""
        self._known(model)
        with self._store.transaction() as tx:
            return [_deployment(row) for row in tx.deployments.history(model)]

    def report(self, version: str) -> dict[str, Any]:
        """`name@N`, or a model's name for its champion (else its newest version): origin, gates, deployments, last performance report."""
        model, number = parse_version(version) if "@" in version else (version, 0)
        self._known(model)
        with self._store.transaction() as tx:
            champion, aliases = tx.champions.get(model), aliases_of(tx, model)
            named = number or (champion.version if champion else None)
            shown = next(iter(tx.versions.page(model, 1, None if named is None else named + 1)), None)
            if shown is None or named not in (None, shown.row.version):
                raise NotFound(f"there is no version {version}" if number else f"{model} has no version yet: `evergreen models train {model}`")
            row, wanted = shown.row, shown.row.version
            served = [deployment for deployment in tx.deployments.history(model) if deployment.version == wanted]
            last = tx.performance.last(model, wanted, since=row.as_of)
            estimated = tx.performance.last_estimate(model, wanted)
        return {
            **self._summary(shown, champion, aliases),
            "scorecard": row.scorecard,
            "deployments": [_deployment(deployment) for deployment in served],
            "estimate": None if estimated is None or (last is not None and last.time > estimated.time) else told_estimate(estimated),
            "performance": None
            if last is None
            else {
                "kind": "measured",
                "window": [str(last.first_day), str(last.last_day)],
                "n": last.n,
                "current": last.current,
                "baseline": last.baseline,
                "drop_interval": [last.drop_low, last.drop_high],
                "degraded": last.degraded,
                "coverage": last.coverage,
                "against": last.detail.get("against", ""),
            },
        }

    def _summary(self, shown: ShownVersion, champion: ChampionRow | None, aliases: Mapping[str, int]) -> dict[str, Any]:
        row = shown.row
        spec = self._specs[row.model]
        return {
            **_version(row, champion, spec.metric),
            "number": row.version,
            "aliases": [alias for alias, version in aliases.items() if version == row.version],
            "direction": spec.direction,
            "held_out_interval": _held_out_interval(shown.errors, row.metrics.get(spec.metric)),
            "judged": _judged(row.scorecard),
            "url": self._registry.version_url(row.model, row.version),
            "run_url": self._registry.run_url(row.model, row.run_id),
        }

    def _model(self, model: str) -> dict[str, Any]:
        with self._store.transaction() as tx:
            champion = tx.champions.get(model)
            versions = tx.versions.of_model(model)
            waiting = tx.actions.open_of(ActionKind.RETRAIN, model)
        return {
            "model": model,
            "champion": None if champion is None else champion.name,
            "epoch": None if champion is None else champion.epoch,
            "waiting": [_waiting(row) for row in waiting],
            "versions": [_version(row, champion, self._specs[model].metric) | {"url": self._registry.version_url(model, row.version)} for row in versions],
        }

    def _known(self, model: str) -> None:
        if model not in self._specs:
            raise NotFound(f"no model {model!r}; known: {', '.join(self._specs)}")


def _waiting(row: ActionRow) -> dict[str, Any]:
    """A version to come."""
    due = row.action.due_at.isoformat()
    return {"action_id": str(row.action.id), "reason": row.action.reason, "status": row.status, "due_at": due, "why": row.error}


def _version(row: VersionRow, champion: ChampionRow | None, metric: str) -> dict[str, Any]:
    return {
        "version": row.name,
        "champion": champion is not None and champion.version == row.version,
        "status": row.status,
        "stable": row.stable,
        "quarantined": row.quarantined,
        "cause": row.cause,
        "trained": [str(row.trained_from), str(row.trained_to)],
        "rows": row.trained_rows,
        "as_of": row.as_of.isoformat(),
        "metric": metric,
        "held_out_error": row.metrics.get(metric),
        "metrics": dict(row.metrics),
        "cost_seconds": row.cost_seconds,
        "failed_gates": [gate["name"] for gate in (row.scorecard or {}).get("gates", []) if not gate["passed"]],
    }


def _held_out_interval(errors: Spread | None, held_out: float | None) -> list[float] | None:
    """95 % of the metric's mean, from the version's own errors on the rows that judged it; None where those are not what the metric is the mean of."""
    if held_out is None or errors is None or not isclose(errors.mean, held_out, rel_tol=1e-3):
        return None
    half = 1.96 * errors.deviation / sqrt(errors.n)
    return [held_out - half, held_out + half]


def _judged(card: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The verdict in short: against whom, on how many rows, and by how much it differs."""
    if card is None:
        return None
    gates = card.get("gates", [])
    numbers: Mapping[str, float] = next((gate["numbers"] for gate in gates if gate["name"] == "improvement"), {})
    return {
        "approved": bool(card["approved"]),
        "against": card["reference"],
        "rows": card["n"],
        "passed": sum(bool(gate["passed"]) for gate in gates),
        "gates": len(gates),
        "relative": numbers.get("relative"),
        "relative_interval": [numbers["relative_low"], numbers["relative_high"]] if "relative_low" in numbers else None,
    }


def _deployment(row: DeploymentRow) -> dict[str, Any]:
    return {
        "version": row.name,
        "previous": version_name(row.model, row.previous_version),
        "kind": row.kind,
        "status": row.status,
        "epoch": row.epoch,
        "forced": row.forced,
        "reason": row.reason,
        "served_from": None if row.served_from is None else row.served_from.isoformat(),
        "served_to": None if row.served_to is None else row.served_to.isoformat(),
        "stable_from": None if row.stable_from is None else row.stable_from.isoformat(),
        "workers": list(row.required_workers),
        "canary": row.canary_verdict,
        "error": row.error,
    }
