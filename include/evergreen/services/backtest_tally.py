"""What a policy did, added up, and two of them side by side."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

from evergreen.contracts.actions import ActionKind
from evergreen.contracts.envelope import Event
from evergreen.core.decision import Outcome, gist_of
from evergreen.core.proposal import CORRECTIVE
from evergreen.core.severity import Severity

SHOWN = 20
LATE = timedelta(hours=24)
"""A correction within this of an incident answers it, whatever event it came of."""
_MADE = frozenset({Outcome.ACCEPTED.value, Outcome.DEFERRED.value})
_ANSWERED = _MADE | {Outcome.ABSORBED.value}


@dataclass(frozen=True)
class Acted:
    at: datetime
    event_type: str
    severity: str
    answers: tuple[tuple[str, str, str, str], ...]
    """(action, target, outcome, when)."""

    @property
    def corrected(self) -> tuple[str, ...]:
        """Targets something is done about."""
        return tuple(target for kind, target, outcome, _ in self.answers if kind in CORRECTIVE and outcome in _ANSWERED)


@dataclass
class Tally:
    acted: dict[tuple[str, str, str], Acted] = field(default_factory=dict)
    """(source, id, model) of the event -> what followed."""
    actions: Counter[str] = field(default_factory=Counter)
    guards: Counter[str] = field(default_factory=Counter)
    """Responses stopped or deferred, by guard."""
    minutes: list[float] = field(default_factory=list)
    """From an event to the time its correction was due."""
    corrections: dict[str, list[datetime]] = field(default_factory=dict)
    """Target -> times, in order."""

    def add(self, event: Event, body: Mapping[str, Any]) -> None:
        """`body`: of a decision, as JSON values."""
        at = datetime.fromisoformat(body["decided_at"])
        answers = gist_of(body["answers"], at)
        release = event.type == "timer_due" and event.data.get("action_id") is not None
        if not release:
            self.acted[event.source, event.id, body["model"]] = Acted(at, event.type, body["severity"]["final"], answers)
        for one in body["answers"]:
            self._count(event, one, at, release=release)

    def _count(self, event: Event, one: Mapping[str, Any], at: datetime, *, release: bool) -> None:
        kind, outcome = one["action"], one["outcome"]
        stopped = [guard["guard"] for guard in one["guards"] if not guard["passed"]]
        if stopped and outcome != Outcome.ABSORBED:
            self.guards[stopped[-1] if outcome != Outcome.DEFERRED else stopped[0]] += 1
        if release:
            if outcome != Outcome.ACCEPTED:
                self.actions[kind] -= 1  # it was counted when it was put off, and is cancelled
            return
        if outcome in _MADE:
            self.actions[kind] += 1
        if kind in CORRECTIVE and outcome in _ANSWERED:
            due = datetime.fromisoformat(one["due_at"])
            self.minutes.append(max(0.0, (due - event.time).total_seconds() / 60))
            self.corrections.setdefault(one["target"], []).append(at)


@dataclass(frozen=True)
class Comparison:
    events: int
    """Decisions compared: an event of several models counts once for each."""
    actions: dict[str, tuple[int, int]]
    """Action -> (recorded, candidate)."""
    stopped: dict[str, tuple[int, int]]
    """Guard -> responses it stopped or put off."""
    minutes_to_react: tuple[float | None, float | None]
    """Mean from an event to when its correction was due."""
    training_seconds: tuple[float, float] | None
    """What the retrains cost, at the mean recorded cost of one."""
    differing: int
    missed: list[dict[str, str]]
    """Incidents (high or critical) that were corrected, and would not have been within a day."""
    gained: int
    """Incidents that were left alone, and would have been corrected."""
    examples: list[dict[str, Any]]
    """The first decisions that differ."""


def told_by(recorded: Tally, candidate: Tally, *, events: int, cost: float | None) -> Comparison:
    """`cost`: mean seconds of a training; None when none was recorded."""
    differing = [key for key, was in recorded.acted.items() if key in candidate.acted and candidate.acted[key].answers != was.answers]
    incidents = [key for key, was in recorded.acted.items() if max(_severity(was), _severity(candidate.acted.get(key, was))) >= Severity.HIGH]
    retrain = ActionKind.RETRAIN.value
    return Comparison(
        events=events,
        actions=_beside(recorded.actions, candidate.actions),
        stopped=_beside(recorded.guards, candidate.guards),
        minutes_to_react=(fmean(recorded.minutes) if recorded.minutes else None, fmean(candidate.minutes) if candidate.minutes else None),
        training_seconds=None if cost is None else (recorded.actions[retrain] * cost, candidate.actions[retrain] * cost),
        differing=len(differing),
        missed=[_named(key, recorded.acted[key]) for key in incidents if _missed(recorded, candidate, key)],
        gained=sum(_missed(candidate, recorded, key) for key in incidents if key in candidate.acted),
        examples=[_example(key, recorded, candidate) for key in differing[:SHOWN]],
    )


def _severity(acted: Acted) -> Severity:
    return Severity.parse(acted.severity)


def _missed(one: Tally, other: Tally, key: tuple[str, str, str]) -> bool:
    """`one` corrected something after this event, `other` nothing of that target within a day."""
    acted = one.acted.get(key)
    if acted is None or not acted.corrected:
        return False
    return not any(_corrected_by(other, target, acted.at) for target in acted.corrected)


def _corrected_by(tally: Tally, target: str, at: datetime) -> bool:
    times = tally.corrections.get(target, [])
    after = bisect_left(times, at)
    return after < len(times) and times[after] <= at + LATE


def _beside(left: Counter[str], right: Counter[str]) -> dict[str, tuple[int, int]]:
    return {name: (left[name], right[name]) for name in sorted({*left, *right})}


def _named(key: tuple[str, str, str], acted: Acted) -> dict[str, str]:
    source, event_id, model = key
    return {"event": event_id, "source": source, "type": acted.event_type, "model": model, "severity": acted.severity, "at": acted.at.isoformat()}


def _example(key: tuple[str, str, str], recorded: Tally, candidate: Tally) -> dict[str, Any]:
    return {**_named(key, recorded.acted[key]), "recorded": _words(recorded.acted[key]), "candidate": _words(candidate.acted[key])}


def _words(acted: Acted) -> list[str]:
    return [f"{kind} {outcome} {when}".rstrip() for kind, _, outcome, when in acted.answers]
