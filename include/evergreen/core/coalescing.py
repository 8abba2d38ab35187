"""Guard 6: one action does for all that wait for the same. The absorbing one keeps the earlier time, the higher priority and severity
and all causes; both decisions point to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from evergreen.contracts.actions import ActionKind
from evergreen.core.decision import Absorption, Outcome
from evergreen.core.proposal import Circumstances, Proposal, Stop, Verdict, failed, passed
from evergreen.core.state import OpenAction

NAME = "coalescing"
NEVER_ABSORBED = frozenset({ActionKind.INGEST, ActionKind.ALERT, ActionKind.MONITOR})
"""Each batch is a piece of work of its own; the other two are done the moment they are decided."""


def coalescing(proposal: Proposal, about: Circumstances) -> Verdict:
    if proposal.kind in NEVER_ABSORBED:
        return passed(NAME)
    opened = about.state.opened(proposal.kind, proposal.target)
    for one in opened:
        if one.status == "pending" and _mergeable(proposal, one):
            return _absorbed(f"absorbed by {one.id}, which waits", _merged(proposal, one, about.now))
    for one in opened:
        if one.status == "running" and proposal.kind is ActionKind.RETRAIN and about.state.rows_since_retrain < about.policy.min_new_rows:
            return _absorbed(f"absorbed by {one.id}, which runs; {about.state.rows_since_retrain} new rows since its data ends", _kept(one))
    return passed(NAME)


def _absorbed(detail: str, absorption: Absorption) -> Stop:
    return Stop(failed(NAME, detail), outcome=Outcome.ABSORBED, absorption=absorption)


def _mergeable(proposal: Proposal, waiting: OpenAction) -> bool:
    return proposal.params.get("dataset") == waiting.params.get("dataset")


def _merged(proposal: Proposal, waiting: OpenAction, now: datetime) -> Absorption:
    """The earlier time, the higher priority and severity, with its reason; as much data as the younger of the two may see."""
    raised = proposal.severity > waiting.severity
    return Absorption(
        into=waiting.id,
        status="pending",
        reason=proposal.reason if raised else waiting.reason,
        severity=max(proposal.severity, waiting.severity).word,
        priority="high" if "high" in (proposal.priority, waiting.priority) else "normal",
        due_at=min(proposal.due_at, waiting.due_at),
        as_of=max(proposal.as_of, waiting.as_of),
        params=_merged_params(proposal, waiting),
        runs_now=proposal.due_at <= now < waiting.due_at,
        sooner=proposal.due_at < waiting.due_at,
    )


def _merged_params(proposal: Proposal, waiting: OpenAction) -> Mapping[str, Any]:
    new, before = proposal.params, waiting.params
    if proposal.kind is ActionKind.ROLLBACK:
        return new if proposal.as_of >= waiting.as_of else before  # the newer evidence names the better target
    if "windows" not in before or "windows" not in new:
        return before
    windows = {(one["first_day"], one["last_day"]): one for one in [*before["windows"], *new["windows"]]}
    return {**before, "windows": [windows[days] for days in sorted(windows)]}


def _kept(running: OpenAction) -> Absorption:
    return Absorption(
        into=running.id,
        status="running",
        reason=running.reason,
        severity=running.severity.word,
        priority=running.priority,
        due_at=running.due_at,
        as_of=running.as_of,
        params=running.params,
        runs_now=False,
    )
