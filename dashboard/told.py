"""What the platform said, told in the words of whoever looks.

It writes English. A sentence is known by the template it was made with (`locale/en/said.toml`) and told by the template of the same key in the
viewer's language; what stands in its braces is told in words, too, where it is a word of the platform. Guarantee: nothing is lost, what no template
knows stands as it was said. The answer is text, no more trusted than what came in."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from functools import cache

from dashboard.formats import Formats
from dashboard.words import FALLBACK, Words, named, texts

LONGEST, LONGEST_SENTENCE, LONGEST_VALUE = 4000, 400, 100
"""What is longer was not made from a template. Anybody may write a reason, and looking for several values in a text takes time that grows with a
power of its length."""
SENTENCES, LISTS = ("gate", "reason", "what", "why"), ("days", "features", "numbers")
"""In braces that hold whole sentences, and several values."""
GUARDS = ("stale", "cooldown", "storm", "working_hours", "blast_radius", "coalescing", "superseded", "paused")


def told(t: Words, fmt: Formats, group: str, text: str) -> str:
    """`group`: the part of the templates to look in. A sentence of several is told one by one."""
    if len(text) > LONGEST:
        return text
    whole = _told(t, fmt, group, text)
    if whole is not None:
        return whole
    return "; ".join(_told(t, fmt, group, one) or one for one in text.split("; "))


def reason_words(t: Words, fmt: Formats, reason: str) -> str:
    """Why something was asked for: a sentence, or a code of the policy's (`data_drift_high`, `storm_alert`)."""
    known = _told(t, fmt, "reason", reason)
    return code_words(t, reason) if known is None else known


def code_words(t: Words, code: str) -> str:
    """Of a reason, an event, an action, a field; as it is where it is none of them."""
    for group in ("names.reason", "names.event", "names.action", "names.severity", "names.field"):
        found = named(t, group, code, code)
        if found != code:
            return found
    guard = next((one for one in GUARDS if code.startswith(f"{one}_")), None)
    if guard is None:
        return code
    return f"{named(t, 'decisions.guard', guard)}: {code_words(t, code.removeprefix(f'{guard}_'))}"


def rule_words(t: Words, rule: str) -> str:
    """`data_drift_detected.high`: the event, and the row of its severity or what else made the choice."""
    event, dot, which = rule.partition(".")
    row = named(t, "names.rule", which, code_words(t, which))
    return f"{named(t, 'names.event', event, event)} · {row}" if dot else rule


def feature_words(t: Words, name: str) -> str:
    """What a feature is called, on every page; its own name where a model brings one nobody has a word for."""
    return named(t, "names.feature", name, name)


def _told(t: Words, fmt: Formats, group: str, text: str) -> str | None:
    if len(text) > LONGEST_SENTENCE:
        return None
    for key, template in _templates(group):
        found = template.fullmatch(text)
        if found is not None:
            return t(key, **{name: _WORDS.get(name, _as_it_is)(t, fmt, value) for name, value in found.groupdict().items()})
    return None


@cache
def _templates(group: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    begin = f"said.{group}."
    return tuple((key, _pattern(text)) for key, text in texts(FALLBACK).items() if key.startswith(begin))


def _pattern(template: str) -> re.Pattern[str]:
    parts = [re.escape(literal) + (_place(name) if name else "") for literal, name, _, _ in string.Formatter().parse(template)]
    return re.compile("".join(parts))


def _place(name: str) -> str:
    """Of one value: within its sentence, where it is none itself."""
    most = LONGEST_SENTENCE if name in LISTS else LONGEST_VALUE
    return f"(?P<{name}>.+)" if name in SENTENCES else f"(?P<{name}>(?:(?!; ).){{1,{most}}}?)"


def _as_it_is(t: Words, fmt: Formats, value: str) -> str:
    return value


def _instant(t: Words, fmt: Formats, value: str) -> str:
    try:
        return fmt.instant(value)
    except ValueError:
        return value


def _day(t: Words, fmt: Formats, value: str) -> str:
    try:
        return fmt.day(value)
    except ValueError:
        return value


def _of(group: str) -> Callable[[Words, Formats, str], str]:
    return lambda t, fmt, value: named(t, group, value, value)


def _each(words: Callable[[Words, Formats, str], str]) -> Callable[[Words, Formats, str], str]:
    return lambda t, fmt, value: ", ".join(words(t, fmt, one) for one in value.split(", "))


_WORDS: Mapping[str, Callable[[Words, Formats, str], str]] = {
    "severity": _of("names.severity"),
    "action": _of("names.action"),
    "field": _of("names.field"),
    "measure": _of("names.metric"),
    "head": _of("names.head"),
    "status": _of("models.status"),
    "deployment": _of("models.deployment"),
    "answer": _of("models.answer"),
    "reason": reason_words,
    "numbers": _each(_of("names.number")),
    "features": _each(lambda t, fmt, value: feature_words(t, value)),
    "gate": lambda t, fmt, value: told(t, fmt, "gate", value),
    "at": _instant,
    "day": _day,
    "days": _each(_day),
}
"""By the name in the braces: how what stands there is told."""
