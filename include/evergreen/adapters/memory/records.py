"""Events, decisions and what is read from them, without a database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from evergreen.adapters.memory.tables import OPEN, Tables
from evergreen.contracts.actions import PAUSABLE, ActionStatus
from evergreen.core.clock import wall_now
from evergreen.core.concerns import Catalogue
from evergreen.ports.policy_records import Pause, ShadowRow
from evergreen.ports.records import AlertRow, DecisionRow, EventKey, EventRow, Head, Trained, Work


class MemoryEvents:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def known(self, keys: Sequence[EventKey]) -> Mapping[EventKey, str]:
        return {key: self._tables.events[key].content_hash for key in keys if key in self._tables.events}

    def record(self, rows: Sequence[EventRow]) -> int:
        new = {row.key: row for row in rows if row.key not in self._tables.events}
        self._tables.events |= new
        return len(new)

    def find(self, event_id: str) -> list[EventRow]:
        return [row for row in self._tables.events.values() if row.event.id == event_id]

    def seq(self) -> int:
        return len(self._tables.events)


class MemoryDecisions:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def lock(self, models: Sequence[str]) -> None:
        """A transaction here excludes every other."""

    def heads(self, models: Sequence[str]) -> Mapping[str, Head]:
        ends = {model: list(self.chain(model)) for model in models}
        return {model: Head(rows[-1].seq, rows[-1].hash) for model, rows in ends.items() if rows}

    def append(self, rows: Sequence[DecisionRow]) -> None:
        self._tables.decisions |= {(row.model, row.seq): row for row in rows}

    def of_event(self, source: str, event_id: str) -> list[DecisionRow]:
        return [row for row in self._tables.decisions.values() if (row.event_source, row.event_id) == (source, event_id)]

    def at(self, model: str, seq: int) -> DecisionRow | None:
        return self._tables.decisions.get((model, seq))

    def models(self) -> list[str]:
        return sorted({model for model, _ in self._tables.decisions})

    def chain(self, model: str) -> Iterator[DecisionRow]:
        return iter(sorted((row for row in self._tables.decisions.values() if row.model == model), key=lambda row: row.seq))

    def recorded(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[tuple[DecisionRow, Mapping[str, Any]]]:
        place = {key: number for number, key in enumerate(self._tables.events)}
        rows = [row for row in self._tables.decisions.values() if (since is None or row.decided_at >= since) and (until is None or row.decided_at < until)]
        for row in sorted(rows, key=lambda row: (place[row.event_source, row.event_id], row.model)):
            yield row, self._tables.events[row.event_source, row.event_id].event.model_dump()


class MemoryAlerts:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def record(self, rows: Sequence[AlertRow]) -> None:
        self._tables.alerts |= {row.id: replace(row, recorded_at=wall_now()) for row in rows if row.id not in self._tables.alerts}

    def newest(self, limit: int, model: str | None = None) -> list[AlertRow]:
        return [row for row in reversed(self._tables.alerts.values()) if not row.resolves and model in (None, row.model)][:limit]

    def unsettled(self, limit: int) -> list[AlertRow]:
        return [row for row in self._tables.alerts.values() if row.outcome is None][:limit]

    def for_digest(self, limit: int) -> list[AlertRow]:
        return [row for row in self._tables.alerts.values() if row.outcome == "digest"][:limit]

    def settle(self, outcomes: Mapping[UUID, str]) -> None:
        self._tables.alerts |= {alert_id: replace(self._tables.alerts[alert_id], outcome=outcome) for alert_id, outcome in outcomes.items()}

    def prune(self, before: datetime) -> int:
        kept = {row.id: row for row in self._tables.alerts.values() if row.outcome in (None, "digest") or (row.recorded_at or before) >= before}
        gone = len(self._tables.alerts) - len(kept)
        self._tables.alerts = kept
        return gone


class MemoryTimers:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def last(self) -> Mapping[tuple[str, str], datetime]:
        return dict(self._tables.timers)

    def set(self, timer: str, model: str, last_due: datetime) -> None:
        self._tables.timers[timer, model] = last_due

    def champions(self, catalogue: Catalogue) -> Mapping[str, Trained]:
        return dict(self._tables.champions)


class MemoryPauses:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def current(self) -> Pause | None:
        return self._tables.pauses[max(self._tables.pauses)] if self._tables.pauses else None

    def turn(self, new: Pause) -> None:
        self._tables.pauses[len(self._tables.pauses) + 1] = new
        if not new.paused:
            for action_id, one in self._tables.actions.items():
                if one.status is ActionStatus.PENDING and one.action.kind in PAUSABLE:
                    self._tables.actions[action_id] = replace(one, rung_at=None)


class MemoryShadows:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def active(self) -> tuple[str, Mapping[str, Any]] | None:
        return next(((digest, body) for digest, (body, decides) in self._tables.shadow_policies.items() if decides), None)

    def start(self, policy_hash: str, body: Mapping[str, Any]) -> None:
        self.stop()
        self._tables.shadow_policies[policy_hash] = (body, True)

    def stop(self) -> None:
        self._tables.shadow_policies = {digest: (body, False) for digest, (body, _) in self._tables.shadow_policies.items()}

    def record(self, rows: Sequence[ShadowRow]) -> None:
        for row in rows:
            self._tables.shadow_decisions.setdefault((row.policy_hash, row.event_source, row.event_id, row.model), row)

    def differing(self, policy_hash: str, limit: int) -> list[ShadowRow]:
        return [row for row in reversed(self._tables.shadow_decisions.values()) if row.policy_hash == policy_hash and not row.agrees][:limit]

    def agreement(self, policy_hash: str) -> tuple[int, int]:
        rows = [row for row in self._tables.shadow_decisions.values() if row.policy_hash == policy_hash]
        return len(rows), sum(row.agrees for row in rows)


class MemoryPolicies:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def active(self) -> tuple[str, Mapping[str, Any]] | None:
        return next(iter(reversed(self._tables.policies.items())), None)

    def activate(self, policy_hash: str, body: Mapping[str, Any]) -> str | None:
        active = self.active()
        if active is not None and active[0] == policy_hash:
            return None
        self._tables.policies.pop(policy_hash, None)
        self._tables.policies[policy_hash] = body
        return active[0] if active else None

    def bodies(self) -> Mapping[str, Mapping[str, Any]]:
        return dict(self._tables.policies)


class MemoryWork:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def count(self, now: datetime) -> Work:
        decided = {(row.event_source, row.event_id) for row in self._tables.decisions.values()}
        pending = [one.action.due_at for one in self._tables.actions.values() if one.status is ActionStatus.PENDING]
        held = sum(self._tables.holds(one) and one.action.due_at <= now for one in self._tables.actions.values())
        out = sum(one.status in OPEN and one.status is not ActionStatus.PENDING for one in self._tables.actions.values())
        unsent = sum(one.sent_at is None for one in self._tables.outbox.values())
        later = [due_at for due_at in pending if due_at > now]
        mark = (len(self._tables.events), self._tables.last_message)
        return Work(len(set(self._tables.events) - decided), unsent, len(pending) - len(later) - held, out, min(later, default=None), mark)
