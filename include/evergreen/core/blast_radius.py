"""Guard 5: how much the platform may do by itself. The kill switch, daily limits, no ping-pong of rollbacks, no retrain on the same rows."""

from __future__ import annotations

from datetime import timedelta

from evergreen.contracts.actions import ActionKind
from evergreen.core.decision import GuardResult, Outcome
from evergreen.core.proposal import CORRECTIVE, Circumstances, Guard, Proposal, Stop, Verdict, failed, passed

NAME = "blast_radius"
DAY = timedelta(days=1)


def blast_radius(proposal: Proposal, about: Circumstances) -> Verdict:
    """The first of its parts that objects; all of them are one guard in the record."""
    details = []
    for part in _PARTS:
        verdict = part(proposal, about)
        if not isinstance(verdict, GuardResult):
            return verdict
        details += [verdict.detail] if verdict.detail else []
    return passed(NAME, "; ".join(details))


def held(proposal: Proposal, about: Circumstances) -> Verdict:
    """Of steps only a promotion changes who serves: it is decided, and waits for the resume and for a person where one is asked."""
    if proposal.kind is not ActionKind.PROMOTE:
        return passed(NAME)
    waits = "paused: waits for `evergreen policy resume`" if about.state.paused else ""
    return passed(NAME, "; ".join(filter(None, [waits, _asks_a_person(proposal, about).detail])))


def _paused(proposal: Proposal, about: Circumstances) -> Verdict:
    if proposal.kind in CORRECTIVE and about.state.paused:
        return Stop(failed(NAME, "paused: `evergreen policy resume` ends it"), outcome=Outcome.PAUSED)
    return passed(NAME)


def _daily_limit(proposal: Proposal, about: Circumstances) -> Verdict:
    limit = next((limit for kind, limit in about.policy.daily_limits.items() if kind is proposal.kind), None)
    if limit is None:
        return passed(NAME)
    recent = sorted(
        one.at
        for one in about.state.corrective
        if one.kind is proposal.kind and one.target == proposal.target and one.action_id != proposal.releases and about.now - DAY < one.at <= about.now
    )
    if len(recent) < limit:
        return passed(NAME)
    detail = f"daily_limit: {len(recent)} times {proposal.kind} within a day, {limit} allowed"
    return Stop(failed(NAME, detail), allowed_at=recent[-limit] + DAY if limit else None, stand_ins=(ActionKind.ALERT,))


def _no_ping_pong(proposal: Proposal, about: Circumstances) -> Verdict:
    """What a rollback put in place is judged by what came after it; evidence about the version that left, or from before, is none."""
    champion = about.state.champion
    if proposal.kind is not ActionKind.ROLLBACK or champion is None or champion.kind != "rollback":
        return passed(NAME)
    if about.event_time > champion.since and proposal.concerns in (None, champion.version):
        return passed(NAME)
    detail = f"no_new_evidence: {champion.version} serves since the rollback at {champion.since.isoformat()}, and this is about {proposal.concerns or 'before'}"
    return Stop(failed(NAME, detail), stand_ins=(ActionKind.ALERT,))


def _stable_target(proposal: Proposal, about: Circumstances) -> Verdict:
    target = proposal.params.get("to_version")
    if proposal.kind is not ActionKind.ROLLBACK or target not in about.state.not_stable:
        return passed(NAME)
    return Stop(failed(NAME, f"not_stable: {target} never was, or is quarantined"), stand_ins=(ActionKind.ALERT,))


def _enough_new_rows(proposal: Proposal, about: Circumstances) -> Verdict:
    """After a refused candidate the same rows would only make the same candidate again."""
    state, needed = about.state, about.policy.min_new_rows
    if proposal.kind is not ActionKind.RETRAIN or state.refused_at is None or state.rows_since_refused >= needed:
        return passed(NAME)
    return Stop(failed(NAME, f"too_few_new_rows: {state.rows_since_refused} of {needed} since the candidate was refused at {state.refused_at.isoformat()}"))


def _asks_a_person(proposal: Proposal, about: Circumstances) -> GuardResult:
    asked = proposal.params.get("approval")
    if asked is None:
        return passed(NAME)
    return passed(NAME, f"approval: a person is asked, after {asked['timeout_seconds']} s it is taken for {asked['default']}")


_PARTS: tuple[Guard, ...] = (_paused, _daily_limit, _no_ping_pong, _stable_target, _enough_new_rows, _asks_a_person)
