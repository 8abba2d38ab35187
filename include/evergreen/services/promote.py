"""Action `promote`: an approved challenger (or, by force and on record, any version that is not quarantined) becomes the champion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evergreen.contracts.actions import Action
from evergreen.core.champion import VersionFacts, promotion_refused
from evergreen.core.errors import DeploymentRefused
from evergreen.ports.champions import ChampionRow
from evergreen.ports.model_store import DeployTransaction
from evergreen.ports.storage import ClaimedAction
from evergreen.ports.versions import VersionRow
from evergreen.services.deploy import Deploy
from evergreen.services.deployment_plan import NothingToDo, Plan
from evergreen.services.version_names import parse_version


class Promote:
    def __init__(self, deploy: Deploy) -> None:
        self._deploy = deploy

    def run(self, claimed: ClaimedAction) -> Mapping[str, Any]:
        return self._deploy.run(claimed, lambda tx, champion: planned_promotion(tx, champion, claimed.action))


def facts_of(row: VersionRow) -> VersionFacts:
    judged = (row.scorecard or {}).get("judged_against")
    return VersionFacts(row.version, row.status, row.stable, row.quarantined, judged)


def planned_promotion(tx: DeployTransaction, champion: ChampionRow | None, action: Action) -> Plan | NothingToDo:
    """Raises DeploymentRefused, NotFound."""
    model, number = parse_version(action.target)
    row = tx.versions.get(model, number)
    if row is None:
        raise DeploymentRefused(f"there is no version {action.target}")
    if champion is not None and champion.version == number:
        deployed = tx.deployments.get(champion.deployment_id)
        if deployed is not None and deployed.status == "confirmed":
            return NothingToDo(f"{row.name} serves already, at epoch {champion.epoch}")
    forced = bool(action.params.get("forced"))
    serving = None if champion is None or champion.version == number else champion.version
    refused = promotion_refused(facts_of(row), serving, forced=forced)
    if refused:
        raise DeploymentRefused(refused)
    return Plan(number, "promote", _reason(action, row, forced), forced)


def _reason(action: Action, row: VersionRow, forced: bool) -> str:
    if forced:
        return f"forced by {action.params.get('requested_by', 'the policy')}: {action.params.get('reason', action.reason)}"
    gates = (row.scorecard or {}).get("gates", [])
    improvement = next((gate["detail"] for gate in gates if gate["name"] == "improvement"), "")
    return f"approved by the gates: {improvement}"
