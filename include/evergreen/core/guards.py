"""Guards: an ordered list every proposed action passes; each result is recorded with the decision.

Responses (retrain, rollback, scale, alert, monitor) may go stale, cool down and be bounded. The loop's steps (ingest, checks, evaluate,
promote, maintenance) are only coalesced: after an outage they are done, in order."""

from __future__ import annotations

from evergreen.contracts.actions import ActionKind
from evergreen.core.blast_radius import blast_radius, held
from evergreen.core.coalescing import coalescing
from evergreen.core.decision import Outcome
from evergreen.core.proposal import CORRECTIVE, RESPONSES, Circumstances, Defer, Guard, Proposal, Stop, Verdict, failed, passed
from evergreen.core.severity import Severity
from evergreen.core.state import Accepted

CHECK_AGAIN = {"data_drift_detected": ActionKind.DRIFT_CHECK, "model_performance_degraded": ActionKind.PERFORMANCE_CHECK}
"""What looks at fresh data where an old event can no longer be acted on."""


def stale(proposal: Proposal, about: Circumstances) -> Verdict:
    age = about.now - about.event_time
    # Something must still be said about an event nobody acts on.
    if proposal.kind is ActionKind.ALERT or age <= about.policy.stale_after:
        return passed("stale")
    stand_ins = (ActionKind.ALERT, *filter(None, [CHECK_AGAIN.get(about.event_type)]))
    return Stop(failed("stale", f"the event is {age.total_seconds() / 3600:.1f} h old"), outcome=Outcome.STALE, stand_ins=stand_ins)


def cooldown(proposal: Proposal, about: Circumstances) -> Verdict:
    """Per event type, action and target. It starts when an action is accepted (a scheduled one: when it becomes due). What a lower
    severity did never holds back a higher one's stronger action or its alert. Failed ones start none: they back off on their own."""
    length = proposal.cooldown or about.policy.cooldown(proposal.kind)
    running = [
        one
        for one in about.state.newest(about.event_type, proposal.kind, proposal.target)
        if one.at <= about.now < one.at + length and not _outranks(proposal, one, about)
    ]
    if not running:
        return _backing_off(proposal, about)
    last = max(running, key=lambda one: (one.at, one.severity))
    detail = f"{proposal.kind} of severity {last.severity.word} at {last.at.isoformat()}, again after {int(length.total_seconds())} s"
    return Stop(failed("cooldown", detail), allowed_at=last.at + length)


def _backing_off(proposal: Proposal, about: Circumstances) -> Verdict:
    before = about.state.failed(proposal.kind, proposal.target)
    if before is None:
        return passed("cooldown")
    until = before.at + about.policy.failure_backoff.after(before.times)
    if about.now >= until:
        return passed("cooldown", f"failed {before.times} times in a row, last at {before.at.isoformat()}")
    return Stop(failed("cooldown", f"backing off: failed {before.times} times in a row, last at {before.at.isoformat()}"), allowed_at=until)


def _outranks(proposal: Proposal, earlier: Accepted, about: Circumstances) -> bool:
    if proposal.severity <= earlier.severity:
        return False
    if proposal.kind is ActionKind.ALERT:
        return True
    before = about.policy.rule(about.event_type).cells(earlier.severity)
    return not proposal.scheduled and any(cell.action is proposal.kind and cell.when == "maintenance_window" for cell in before)


def storm(proposal: Proposal, about: Circumstances) -> Verdict:
    """So many corrections in so short a time correct nothing: watch, and tell somebody once."""
    breaker = about.policy.storm_breaker
    if proposal.kind not in CORRECTIVE or (proposal.kind is ActionKind.ROLLBACK and proposal.severity is Severity.CRITICAL):
        return passed("storm")
    recent = sorted(
        one.at
        for one in about.state.corrective
        if one.event_type == about.event_type
        and one.target == proposal.target
        and one.action_id != proposal.releases
        and about.now - breaker.within < one.at <= about.now
    )
    if len(recent) <= breaker.more_than:
        return passed("storm")
    detail = f"{len(recent)} responses within {int(breaker.within.total_seconds() / 60)} min, more than {breaker.more_than}"
    return Stop(failed("storm", detail), allowed_at=recent[-breaker.more_than - 1] + breaker.within, stand_ins=(ActionKind.MONITOR, ActionKind.ALERT))


def working_hours(proposal: Proposal, about: Circumstances) -> Verdict:
    """Nobody watches at night: retrain and rollback wait for the opening or the next maintenance window, and somebody is told."""
    calendar = about.policy.calendar
    if calendar is None or proposal.kind not in (ActionKind.RETRAIN, ActionKind.ROLLBACK) or calendar.contains(about.now):
        return passed("working_hours")
    if proposal.scheduled or about.policy.window.contains(about.now):
        return passed("working_hours", "due in a maintenance window")
    if proposal.unattended:
        return passed("working_hours", "critical: does not wait")
    until = min(calendar.next_opening(about.now), about.policy.window.next_start(about.now))
    return Defer(failed("working_hours", f"outside working hours; decided again at {until.isoformat()}"), until)


def superseded(proposal: Proposal, about: Circumstances) -> Verdict:
    """For what waited: whatever was deployed since answers the cause."""
    champion = about.state.champion
    if champion is None or champion.since <= proposal.as_of:
        return passed("superseded")
    return Stop(failed("superseded", f"{champion.version} serves since {champion.since.isoformat()}, after the cause"))


OF_RESPONSES: tuple[Guard, ...] = (stale, cooldown, storm, working_hours, blast_radius, coalescing)
OF_STEPS: tuple[Guard, ...] = (held, coalescing)
AT_RELEASE: tuple[Guard, ...] = (superseded, storm, blast_radius)
"""Of an action that waited for its time. Its window or opening hour has come, and its cause is as old as it had to become."""


def guards_for(kind: ActionKind) -> tuple[Guard, ...]:
    return OF_RESPONSES if kind in RESPONSES else OF_STEPS
