"""Which rows explain a name, and the statements that find them: the same for the blocking and the asynchronous driver.

`gather` says what to ask next and is sent the rows, so that one order of questions serves both. Parameters are `$1`, `$2` …"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from typing import Any
from uuid import UUID

from evergreen.core.explanation import Found, event_record, read_body, resulting_ids
from evergreen.core.fate import Related, named_version

Row = Mapping[str, Any]
Rows = Sequence[Row]
Ask = tuple[str, tuple[object, ...]]
Gathering = Generator[Ask, Rows, Found]
MOST_ACTIONS = 50

EVENT_COLUMNS = "e.seq, e.source, e.id, e.type, e.subject, e.time, e.data, e.topic, e.kafka_partition, e.kafka_offset, e.received_at"
ACTION_COLUMNS = """id, kind, model, target, params, reason, severity, priority, due_at, as_of, causes, event_type, decision_seq, accepted_at,
       status, attempts, run_id, created_at, claimed_at, started_at, finished_at, result, error"""
DECISION_COLUMNS = """d.model, d.seq, d.event_source, d.event_id, d.event_type, d.policy_hash, d.decided_at, d.recorded_at, d.severity, d.rule,
       d.outcome, d.body, d.prev_hash, d.hash"""

_EVENTS_BY_ID = f"SELECT {EVENT_COLUMNS} FROM events e WHERE e.id = ANY($1::text[]) ORDER BY e.seq"
_EVENTS = f"""SELECT {EVENT_COLUMNS} FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS c (source, id, place)
              JOIN events e ON (e.source, e.id) = (c.source, c.id) ORDER BY c.place"""
_DECISIONS = f"""SELECT {DECISION_COLUMNS} FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS c (source, id, place)
                 JOIN decisions d ON (d.event_source, d.event_id) = (c.source, c.id) ORDER BY c.place, d.model"""
_DECISION = f"SELECT {DECISION_COLUMNS} FROM decisions d WHERE d.model = $1 AND d.seq = $2::bigint"
_ACTIONS = f"SELECT {ACTION_COLUMNS} FROM actions WHERE id = ANY($1::uuid[]) ORDER BY created_at, id"
_CAUSED = f"SELECT {ACTION_COLUMNS} FROM actions WHERE causes @> $1::text::jsonb ORDER BY created_at, id LIMIT {MOST_ACTIONS}"
_APPROVALS = "SELECT * FROM approvals WHERE action_id = ANY($1::uuid[]) ORDER BY asked_at"
_DEPLOYMENTS = "SELECT * FROM deployments WHERE action_id = ANY($1::uuid[]) ORDER BY created_at"
_ACKS = "SELECT * FROM worker_acks WHERE deployment_id = ANY($1::uuid[]) ORDER BY at, worker_id"
_VERSIONS = """SELECT model, version, action_id, scorecard FROM model_versions
               WHERE action_id = ANY($1::uuid[]) OR model || '@' || version = ANY($2::text[]) ORDER BY model, version"""
_DRIFT_REPORTS = "SELECT id, action_id FROM drift_reports WHERE action_id = ANY($1::uuid[])"


def gather(name: str) -> Gathering:
    """`name`: the id of an action or an event, or `model/seq` of a decision."""
    model, slash, seq = name.rpartition("/")
    if slash and model and seq.isascii() and seq.isdecimal() and len(seq) <= 18:
        return (yield from _of_decision(name, model, int(seq)))
    action_id = _uuid(name)
    actions = (yield _ACTIONS, ([action_id],)) if action_id else ()
    if actions:
        return (yield from _of_action(name, actions))
    return (yield from _of_event(name))


def _of_decision(name: str, model: str, seq: int) -> Gathering:
    decisions = yield _DECISION, (model, seq)
    events = (yield _EVENTS, _keys([(row["event_source"], row["event_id"]) for row in decisions])) if decisions else ()
    ids = [found for row in decisions for answer in _answers(row) if (found := _uuid(str(answer.get("action_id"))))]
    actions = (yield _ACTIONS, (ids,)) if ids else ()
    return Found("decision", name, events, decisions, actions, (yield from _related(actions)))


def _of_action(name: str, actions: Rows) -> Gathering:
    keys = dict.fromkeys((cause["source"], cause["id"]) for row in actions for cause in row["causes"])
    events = (yield _EVENTS, _keys(list(keys))) if keys else ()
    decisions = (yield _DECISIONS, _keys(list(keys))) if keys else ()
    mine = [row for row in decisions if row["model"] in {action["model"] for action in actions}] or decisions
    return Found("action", name, events, mine, actions, (yield from _related(actions)))


def _of_event(name: str) -> Gathering:
    events = yield _EVENTS_BY_ID, ([name],)
    if not events:
        return Found("event", name)
    decisions = yield _DECISIONS, _keys([(row["source"], row["id"]) for row in events])
    actions: dict[UUID, Row] = {}
    for row in events:
        caused = yield _CAUSED, (json.dumps([{"source": row["source"], "id": row["id"]}]),)
        actions |= {action["id"]: action for action in caused}
    return Found("event", name, events, decisions, list(actions.values()), (yield from _related(list(actions.values()))))


def _related(actions: Rows) -> Generator[Ask, Rows, Related]:
    if not actions:
        return Related()
    ids = [row["id"] for row in actions]
    approvals = yield _APPROVALS, (ids,)
    deployments = yield _DEPLOYMENTS, (ids,)
    acks = (yield _ACKS, ([row["id"] for row in deployments],)) if deployments else ()
    versions = yield _VERSIONS, (ids, [named for row in actions if (named := named_version(row))])
    drift_reports = yield _DRIFT_REPORTS, (ids,)
    known = Related(approvals, deployments, acks, versions, drift_reports)
    made_by = {event_id: str(row["id"]) for row in actions for event_id in resulting_ids(row, known)}
    results = yield _EVENTS_BY_ID, (list(made_by),)
    return Related(approvals, deployments, acks, versions, drift_reports, [(made_by[row["id"]], event_record(row)) for row in results])


def _answers(row: Row) -> list[Mapping[str, Any]]:
    return [answer for answer in read_body(row).get("answers", []) if isinstance(answer, dict)]


def _keys(keys: Sequence[tuple[str, str]]) -> tuple[object, ...]:
    return [source for source, _ in keys], [event_id for _, event_id in keys]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
