"""What a person reads who is asked whether a champion may change: which version, why, its numbers, where to look further."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evergreen.contracts.actions import Action, ActionKind
from evergreen.ports.champions import ChampionRow
from evergreen.ports.model_store import ModelStore, ModelTransaction
from evergreen.ports.performance import PerformanceReport
from evergreen.ports.versions import VersionRow
from evergreen.services.version_names import parse_version

LinkOf = Callable[[str, int], str]


class ApprovalQuestion:
    """`explain_url`: of an action, given its id. `version_url`: of a version in the registry's UI."""

    def __init__(self, store: ModelStore, explain_url: Callable[[str], str], version_url: LinkOf) -> None:
        self._store = store
        self._explain_url = explain_url
        self._version_url = version_url

    def wording(self, action: Action) -> tuple[str, str] | None:
        """Subject and body (Markdown); None when there is nothing left to change."""
        with self._store.transaction() as tx:
            champion = tx.champions.get(action.model)
            promoted = action.kind is ActionKind.PROMOTE
            lines = _promotion(tx, action, champion) if promoted else _rollback(tx, action, champion)
        if lines is None:
            return None
        serving = "nothing serves yet" if champion is None else f"{champion.name} serves now"
        subject = f"Promote {action.target}?" if promoted else f"Roll back {action.target if champion is None else champion.name}?"
        shown = parse_version(action.target) if promoted else None if champion is None else (champion.model, champion.version)
        links = [f"[Why]({self._explain_url(str(action.id))})", *([f"[MLflow]({self._version_url(*shown)})"] if shown else [])]
        facts = [f"**Model** {action.model}, {serving}", f"**Cause** {_cause(action)}", *lines, " · ".join(links)]
        return subject, "\n\n".join(facts)


def _cause(action: Action) -> str:
    causes = ", ".join(f"{cause.type} `{cause.id}`" for cause in action.causes)
    return f"{action.reason}, severity {action.severity}{f', by {causes}' if causes else ''}"


def _promotion(tx: ModelTransaction, action: Action, champion: ChampionRow | None) -> Sequence[str] | None:
    model, number = parse_version(action.target)
    if champion is not None and champion.version == number:
        return None
    row = tx.versions.get(model, number)
    if row is None:
        return [f"**Version** {action.target} is not recorded"]
    return [_version(row), *_gates(row)]


def _version(row: VersionRow) -> str:
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in sorted(row.metrics.items()))
    return f"**Version** {row.name}, {row.status}, trained on {row.trained_rows} rows of {row.trained_from} … {row.trained_to} ({row.cause}); {numbers}"


def _gates(row: VersionRow) -> list[str]:
    gates = (row.scorecard or {}).get("gates", [])
    if not gates:
        return []
    rows = [f"| {gate['name']} | {'passed' if gate['passed'] else '**failed**'} | {gate['detail']} |" for gate in gates]
    return ["\n".join(["| gate | | |", "|---|---|---|", *rows])]


def _rollback(tx: ModelTransaction, action: Action, champion: ChampionRow | None) -> Sequence[str] | None:
    bad, to = action.params.get("from_version"), action.params.get("to_version")
    if champion is None or (bad is not None and str(bad) not in (champion.name, str(champion.version))):
        return None
    report = tx.performance.last(action.model, champion.version, since=champion.since)
    return [f"**Back to** {to or 'the last stable version that can be loaded'}; {champion.name} is quarantined", *_performance(report)]


def _performance(report: PerformanceReport | None) -> list[str]:
    if report is None:
        return []
    numbers = f"error {report.current:.3f} against {report.baseline:.3f}, drop {report.drop_low:.1%} to {report.drop_high:.1%}"
    return [f"**Last check** {report.first_day} … {report.last_day}, {report.n} labelled predictions: {numbers}"]
