"""What is sound as a policy and still not meant: cells nobody reaches, events nobody says or answers, actions without a rest, a calendar with gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from evergreen.contracts.actions import ActionKind
from evergreen.contracts.topics import CONTROL_TOPICS, PAYLOADS, STREAM_TYPES, TOPIC_OF
from evergreen.core.proposal import CORRECTIVE, RESPONSES
from evergreen.core.rules import WORDS, Cell, Policy, Rule

LONGEST_CLOSED = timedelta(days=7)
_WITHOUT_TOPIC = frozenset({"timer_due"})
"""The tick writes these itself."""


@dataclass(frozen=True)
class Finding:
    path: tuple[str | int, ...]
    """Where in the policy."""
    message: str

    def __str__(self) -> str:
        return f"{'.'.join(str(step) for step in self.path)}: {self.message}"


def findings(policy: Policy) -> list[Finding]:
    """In the order of the file's sections; none for a policy that means what it says."""
    return [*_calendar(policy), *_rests(policy), *_evidence(policy), *_cells(policy), *_types(policy)]


def _calendar(policy: Policy) -> Iterator[Finding]:
    hours, window = policy.working_hours, policy.maintenance_window
    if window.start == window.end:
        yield Finding(("maintenance_window",), "is the whole day: scheduled work would never wait")
    if hours is None:
        return
    closed = _longest_closed(policy)
    if closed is not None and closed > LONGEST_CLOSED:
        yield Finding(("working_hours",), f"nobody watches for {closed.days} days in a row: a deferred action waits for the maintenance window only")
    for day in sorted(set(hours.holidays)):
        if hours.holidays.count(day) > 1:
            yield Finding(("working_hours", "holidays"), f"{day} stands there twice")
    if hours.start == hours.end and len(hours.days) == 7 and not hours.holidays:
        yield Finding(("working_hours",), "is the whole day: leave the section out instead")


def _longest_closed(policy: Policy) -> timedelta | None:
    """Between two openings, over the days the holidays span and a week around them."""
    calendar, hours = policy.calendar, policy.working_hours
    if calendar is None or hours is None:
        return None
    first = _at(policy) if not hours.holidays else _at(policy, min(hours.holidays).toordinal() - 8)
    last = first + timedelta(days=16) if not hours.holidays else _at(policy, max(hours.holidays).toordinal() + 8)
    longest, at = timedelta(0), first
    while at < last:
        following = calendar.next_opening(at)
        longest, at = max(longest, following - at), following
    return longest


def _at(policy: Policy, ordinal: int = 739_000) -> datetime:
    return datetime.combine(date.fromordinal(ordinal), policy.performance_check.at, policy.zone)


def _rests(policy: Policy) -> Iterator[Finding]:
    for kind in sorted(RESPONSES):
        if policy.cooldown(kind) <= timedelta(0):
            place = ("cooldowns", kind.value) if kind in policy.cooldowns else ("default_cooldown",)
            yield Finding(place, f"{kind.value} has no cooldown: a flood of events would be a flood of actions")
    for kind in policy.cooldowns:
        if kind not in RESPONSES:
            yield Finding(("cooldowns", kind.value), f"{kind.value} is a step of the loop: steps have no cooldown, so this changes nothing")


def _evidence(policy: Policy) -> Iterator[Finding]:
    for event_type in policy.evidence:
        rule = policy.rules.get(event_type)
        if rule is None or rule.any is not None:
            yield Finding(("evidence", event_type), f"changes nothing: the rules of {event_type} do not look at the severity")


def _cells(policy: Policy) -> Iterator[Finding]:
    for event_type, rule in policy.rules.items():
        yield from _covered(event_type, rule)
        yield from _impossible(policy, event_type, rule)
        for path, cell in rule.placed_cells():
            if cell.when == "maintenance_window" and cell.action is not ActionKind.RETRAIN:
                yield Finding(
                    ("rules", event_type, *path, "when"), f"only retrain waits for the maintenance window; {cell.action.value} would be held up by it"
                )
        for kind in {*rule.always} & CORRECTIVE:
            yield Finding(("rules", event_type, "always"), f"{kind.value} whatever the severity: not even a low one is only watched")


def _covered(event_type: str, rule: Rule) -> Iterator[Finding]:
    """A cell behind one that holds whenever it does."""
    for cells, place in _lists(rule):
        for position, cell in enumerate(cells):
            for earlier in cells[:position]:
                if earlier.condition.items() <= cell.condition.items() and earlier.condition:
                    yield Finding(("rules", event_type, *place, position), f"can never be reached: {_words(earlier)} is taken before it")
                    break


def _lists(rule: Rule) -> Iterator[tuple[tuple[Cell, ...], tuple[str | int, ...]]]:
    for word in ("any", *WORDS):
        if getattr(rule, word):
            yield getattr(rule, word), (word,)
    for field, values in rule.honours.items():
        for value, cells in values.items():
            yield cells, ("honours", field, value)


def _words(cell: Cell) -> str:
    return f"the cell if {', '.join(f'{name} = {value}' for name, value in cell.condition.items())}"


def _impossible(policy: Policy, event_type: str, rule: Rule) -> Iterator[Finding]:
    """An event without a severity of its own is medium, and evidence can raise it, never lower it."""
    if rule.any is not None or "severity" in PAYLOADS[event_type].model_fields:
        return
    reached = {"medium", *policy.evidence.get(event_type, {})}
    for word in WORDS:
        if word not in reached:
            yield Finding(("rules", event_type, word), f"can never be reached: {event_type} says no severity, and no evidence makes it {word}")


def _types(policy: Policy) -> Iterator[Finding]:
    for event_type in policy.rules:
        topic = TOPIC_OF.get(event_type)
        if event_type in STREAM_TYPES or (topic not in CONTROL_TOPICS and event_type not in _WITHOUT_TOPIC):
            yield Finding(("rules", event_type), f"can never be reached: {event_type} is not on a topic that is decided on")
    for event_type, topic in sorted(TOPIC_OF.items()):
        if topic in CONTROL_TOPICS and event_type not in {*policy.rules, *STREAM_TYPES}:
            yield Finding(("rules",), f"no row for {event_type}: each is an alert")
