"""The policy in force as people read it, and what other numbers in it would have done with the recorded events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from evergreen.contracts.actions import ActionKind
from evergreen.core.concerns import Catalogue
from evergreen.core.rules import WORDS, Cell, Policy, Rule
from evergreen.core.severity import Severity
from evergreen.core.thresholds import Threshold, moved, thresholds_of
from evergreen.ports.records import RecordStore
from evergreen.services.backtest import Backtest

MOST_DECISIONS = 20_000
"""Looked at in one back-test: what a child process does in some ten seconds."""
MOST_MISSED = 100


def said_of(policy: Policy) -> dict[str, Any]:
    hours, window = policy.working_hours, policy.maintenance_window
    return {
        "hash": policy.hash,
        "timezone": policy.timezone,
        "maintenance_window": [f"{window.start:%H:%M}", f"{window.end:%H:%M}"],
        "working_hours": None if hours is None else [f"{hours.start:%H:%M}", f"{hours.end:%H:%M}"],
        "working_days": [] if hours is None else list(hours.days),
        "stale_after": policy.stale_after.total_seconds(),
        "min_new_rows": policy.min_new_rows,
        "storm_more_than": policy.storm_breaker.more_than,
        "storm_within": policy.storm_breaker.within.total_seconds(),
        "daily_limits": {str(kind): limit for kind, limit in policy.daily_limits.items()},
        "manual_approval": [model for model, approval in policy.approvals.items() if approval.mode == "manual"],
        "cooldowns": {kind.value: length.total_seconds() for kind, length in policy.cooldowns.items()},
        "default_cooldown": policy.default_cooldown.total_seconds(),
        "failure_backoff": [policy.failure_backoff.first.total_seconds(), policy.failure_backoff.longest.total_seconds()],
        "thresholds": [vars(one) for one in thresholds_of(policy)],
        "rules": [_rule(event_type, rule) for event_type, rule in policy.rules.items()],
    }


def _rule(event_type: str, rule: Rule) -> dict[str, Any]:
    return {
        "event_type": event_type,
        "by_severity": {word: _cells(rule.cells(Severity.parse(word))) for word in WORDS},
        "alike": rule.any is not None,
        "always": [kind.value for kind in rule.always],
        "honours": {field: {value: _cells(cells) for value, cells in values.items()} for field, values in rule.honours.items()},
    }


def _cells(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    return [
        {
            "condition": dict(cell.condition),
            "action": cell.action.value,
            "beside": [kind.value for kind in cell.beside],
            "when": cell.when,
            "priority": cell.priority,
            "reason": cell.reason,
            "note": cell.note,
        }
        for cell in cells
    ]


@dataclass(frozen=True)
class MovedNumbers:
    days: int
    thresholds: tuple[Threshold, ...] = ()
    cooldowns: Mapping[ActionKind, timedelta] | None = None


class TryNumbers:
    def __init__(self, store: RecordStore, catalogue: Catalogue) -> None:
        self._backtest = Backtest(store, catalogue)

    def run(self, running: Policy, asked: MovedNumbers, now: datetime) -> dict[str, Any]:
        """Raises InvalidRequest."""
        candidate = moved(running, asked.thresholds, asked.cooldowns or {})
        since = now - timedelta(days=asked.days)
        recorded, found = self._backtest.beside(running, candidate, since, MOST_DECISIONS)
        kinds = sorted({*recorded.actions, *found.actions})
        return {
            "since": since.isoformat(),
            "until": now.isoformat(),
            "running_hash": running.hash,
            "moved_hash": candidate.hash,
            "decisions": found.events,
            "actions": {kind: _counts(recorded.actions.get(kind, (0, 0))[0], found.actions.get(kind, (0, 0))) for kind in kinds},
            "stopped": {guard: _pair(pair) for guard, pair in found.stopped.items()},
            "minutes_to_react": _pair(found.minutes_to_react),
            "training_seconds": _pair(found.training_seconds or (None, None)),
            "differing": found.differing,
            "missed": found.missed[:MOST_MISSED],
            "gained": found.gained,
            "examples": [_differing(one) for one in found.examples],
        }


def _differing(one: Mapping[str, Any]) -> dict[str, Any]:
    same = {name: value for name, value in one.items() if name not in ("recorded", "candidate")}
    return {**same, "running": one["recorded"], "moved": one["candidate"]}


def _counts(recorded: int, pair: tuple[int, int]) -> dict[str, int]:
    return {"recorded": recorded, "running": pair[0], "moved": pair[1]}


def _pair(pair: tuple[float | None, float | None]) -> dict[str, float | None]:
    return {"running": pair[0], "moved": pair[1]}
