"""What happened, what was decided on it and what is being done, as HTML of our own; everything that was told is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from dashboard.formats import Formats
from dashboard.told import reason_words, rule_words, told
from dashboard.words import Words, named

STYLE = """<style>
.eg-facts {display: grid; grid-template-columns: minmax(5rem, auto) 1fr; gap: .45rem 1rem; margin: 0; border-radius: .8rem; padding: .8rem 1rem !important;
  border: 1px solid color-mix(in srgb, currentColor 18%, transparent)}
.eg-facts dt {opacity: .75; font-weight: 600; font-size: .85rem}
.eg-facts dd {margin: 0; overflow-wrap: anywhere}
.eg-rows {list-style: none; margin: 0 !important; padding: 0 !important; border-radius: .8rem; overflow: hidden;
  border: 1px solid color-mix(in srgb, currentColor 18%, transparent)}
.eg-rows li {display: flex; flex-wrap: wrap; gap: .1rem .8rem; align-items: baseline; margin: 0 !important; padding: .5rem .9rem}
.eg-rows li + li {border-top: 1px solid color-mix(in srgb, currentColor 12%, transparent)}
.eg-rows li.alarm {border-left: 4px solid #d5473f}
.eg-rows b {font-weight: 600}
.eg-rows .eg-end {margin-left: auto; font-size: .82rem; opacity: .8}
.eg-soft {opacity: .75; font-size: .85rem; overflow-wrap: anywhere}
</style>"""
WATCHES = frozenset({"health", "rule", "batch"})
ALARMS = frozenset(
    {"data_drift_detected", "model_performance_degraded", "data_quality_issue", "service_health_check_failed", "action_failed", "system_overload"}
)


def decision_facts(t: Words, fmt: Formats, decision: Mapping[str, Any]) -> str:
    path = " → ".join(told(t, fmt, "path", step) for step in decision["severity_path"])
    severity = named(t, "names.severity", decision["severity"])
    answers = [answer_words(t, fmt, one) for one in decision["answers"]] or [named(t, "names.outcome", decision["outcome"])]
    facts = (
        (t("home.decision.happened"), [f"{named(t, 'names.event', decision['event_type'])} · {fmt.instant(decision['decided_at'], 'short')}"]),
        (t("home.decision.severity"), [f"{severity} ({path})" if path else severity]),
        (t("home.decision.rule"), [rule_words(t, decision["rule"])]),
        (t("home.decision.answer"), answers),
    )
    return '<dl class="eg-facts">' + "".join(f"<dt>{escape(name)}</dt><dd>{'<br>'.join(map(escape, lines))}</dd>" for name, lines in facts) + "</dl>"


def answer_words(t: Words, fmt: Formats, answer: Mapping[str, Any]) -> str:
    """`Retrain · video_performance: accepted`; where it was stopped, by what and until when."""
    said = f"{named(t, 'names.action', answer['action'])} · {answer['target']}: {named(t, 'names.outcome', answer['outcome'])}"
    if answer["stopped_by"]:
        said += f" – {t('home.decision.stopped', guard=named(t, 'names.guard', answer['stopped_by']))}"
    if answer["allowed_at"]:
        said += f" – {t('home.decision.again', when=fmt.instant(answer['allowed_at'], 'short'))}"
    return said


def event_rows(t: Words, fmt: Formats, events: Sequence[Mapping[str, Any]]) -> str:
    return _rows(
        (
            named(t, "names.event", one["type"]),
            f"{one['subject']} · {fmt.instant(one['time'], 'short')}",
            t("home.events.undecided") if one["outcome"] is None else named(t, "names.outcome", one["outcome"]),
            one["type"] in ALARMS,
        )
        for one in events
    )


def action_rows(t: Words, fmt: Formats, actions: Sequence[Mapping[str, Any]]) -> str:
    return _rows(
        (
            named(t, "names.action", one["kind"]),
            f"{one['target']} · {reason_words(t, fmt, one['reason'])} · {fmt.instant(one['due_at'], 'short')}",
            t("home.actions.approval") if one["asking"] else named(t, "names.status", one["status"]),
            False,
        )
        for one in actions
    )


def firing_rows(t: Words, fmt: Formats, firing: Sequence[Mapping[str, Any]]) -> str:
    return _rows(
        (
            watch_words(t, one["name"]),
            t("home.firing.since", when=fmt.instant(one["said_at"], "short")),
            named(t, "names.severity", one["severity"]),
            True,
        )
        for one in firing
    )


def watch_words(t: Words, name: str) -> str:
    """`rule:low_cache_hit_ratio` -> `Alert rule: few answers from the cache`."""
    kind, _, about = name.partition(":")
    word = named(t, "home.watch" if kind in WATCHES else "names.event", kind)
    return f"{word}: {', '.join(named(t, 'names.watched', part) for part in about.split(':'))}" if about else word


def _rows(rows: Iterable[tuple[str, str, str, bool]]) -> str:
    """Name, what is said of it, what stands at its end, whether it stands out."""
    said = (
        f'<li{" class=alarm" if alarm else ""}><b>{escape(name)}</b><span class="eg-soft">{escape(about)}</span><span class="eg-end">{escape(end)}</span></li>'
        for name, about, end, alarm in rows
    )
    return f'<ul class="eg-rows">{"".join(said)}</ul>'
