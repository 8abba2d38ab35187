"""The policy's numbers that a back-test moves: bounds of evidence, and cooldowns. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from evergreen.contracts.actions import ActionKind
from evergreen.core.errors import InvalidRequest
from evergreen.core.rules import Policy


@dataclass(frozen=True)
class Threshold:
    """Above it the event counts as this severe."""

    event_type: str
    severity: str
    field: str
    above: float

    @property
    def place(self) -> tuple[str, str, str]:
        return (self.event_type, self.severity, self.field)


def thresholds_of(policy: Policy) -> list[Threshold]:
    """In the order the policy has them."""
    return [
        Threshold(event_type, severity, one.field, one.above)
        for event_type, levels in policy.evidence.items()
        for severity, evidence in levels.items()
        for one in evidence
    ]


def moved(policy: Policy, thresholds: Sequence[Threshold], cooldowns: Mapping[ActionKind, timedelta]) -> Policy:
    """The policy with these numbers in place of its own. Raises InvalidRequest for a threshold it does not have, and for what no policy may say."""
    known = {one.place for one in thresholds_of(policy)}
    unknown = next((one for one in thresholds if one.place not in known), None)
    if unknown is not None:
        raise InvalidRequest(f"the policy has no threshold of {unknown.field} that makes {unknown.event_type} {unknown.severity}; GET /policy lists them")
    body: dict[str, Any] = deepcopy(dict(policy.body()))
    for threshold in thresholds:
        for one in body["evidence"][threshold.event_type][threshold.severity]:
            if one["field"] == threshold.field:
                one["above"] = threshold.above
    body["cooldowns"] = {**body["cooldowns"], **{kind.value: f"{int(length.total_seconds())}s" for kind, length in cooldowns.items()}}
    try:
        return Policy.model_validate(body)
    except ValidationError as error:
        raise InvalidRequest("; ".join(str(fault["msg"]) for fault in error.errors())) from error
