"""What a candidate's silent answers to real requests say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evergreen.contracts.events import GateResult
from evergreen.core.binomial import at_least
from evergreen.core.canary import ENOUGH, MAX_FAILED, SURE
from evergreen.core.evaluation import gate

MIN_PAIRS = 50
"""Outcomes of requests both answered, before the two are compared."""


def has_failed(asked: int, failed: int) -> bool:
    """More requests went without an answer than are allowed, beyond chance."""
    return asked >= ENOUGH and at_least(failed, asked, MAX_FAILED) < SURE


def shadow_gate(found: Mapping[str, Any]) -> GateResult:
    """Refused where it failed, or is worse than the champion with 95 % certainty on what came true. Too little of either shows nothing."""
    asked, failed, n = int(found["asked"]), int(found["failed"]), int(found["n"])
    if has_failed(asked, failed):
        return gate("shadow", False, f"no answer to {failed} of {asked} requests, {MAX_FAILED:.0%} is allowed", asked=asked, failed=failed)
    if n < MIN_PAIRS:
        return gate("shadow", True, f"answered {asked} requests; {n} outcomes are too few to compare", asked=asked, failed=failed, n=n)
    numbers = {name: float(found[name]) for name in ("drop", "low", "high")}
    detail = f"answered {asked} requests, {failed} failed; on {n} outcomes {numbers['drop']:+.1%} [{numbers['low']:+.1%}, {numbers['high']:+.1%}] worse"
    return gate("shadow", numbers["low"] <= 0.0, detail, asked=asked, failed=failed, n=n, **numbers)
