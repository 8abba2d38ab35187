"""The story of an event or an action: what happened, what was decided and by which guards, what became of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import streamlit as st

from dashboard.escaped import plain
from dashboard.told import feature_words, reason_words, rule_words, told
from dashboard.view import View
from dashboard.words import named

COLOURS = {"succeeded": "green", "failed": "red", "cancelled": "gray", "running": "blue", "claimed": "blue", "pending": "orange"}
FEATURES = 5


def story(about: str, name: str, view: View) -> None:
    found = view.api.get(f"/{about}s/{quote(name, safe='')}/explain")
    t = view.t
    st.markdown(f"##### {_verdict(view, found)}")
    _section(t("decisions.happened"), [line for event in found["events"] for line in _event(view, event, found["drifted"])])
    _section(t("decisions.decided"), [line for one in found["decisions"] for line in _decision(view, one)])
    _section(t("decisions.became"), [line for one in found["actions"] for line in _action(view, one)])
    with st.expander(t("decisions.recorded")):
        st.json({"id": found["id"], "events": found["events"], "decisions": found["decisions"]}, expanded=1)


def _section(title: str, lines: list[str]) -> None:
    if lines:
        st.markdown(f"**{title}**\n\n" + "\n".join(lines))


def _verdict(view: View, found: dict[str, Any]) -> str:
    """In one sentence."""
    t = view.t
    if found["about"] == "action" and found["actions"]:
        action = found["actions"][0]
        words = {"action": named(t, "names.action", action["kind"]), "target": plain(action["target"]), "status": named(t, "names.status", action["status"])}
        return t("decisions.verdict.action", **words)
    if not found["answers"]:
        return t("decisions.verdict.nothing_decided")
    done = [one for one in found["answers"] if one["outcome"] in ("accepted", "absorbed", "deferred") and one["action"] != "ignore"]
    if not done:
        stopped = [one for one in found["answers"] if one["action"] != "ignore"]
        return t("decisions.verdict.held_back", actions=_actions(view, stopped)) if stopped else t("decisions.verdict.ignored")
    return t("decisions.verdict.done", actions=_actions(view, done))


def _actions(view: View, answers: list[dict[str, Any]]) -> str:
    return ", ".join(dict.fromkeys(f"{named(view.t, 'names.action', one['action'])} ({plain(one['target'])})" for one in answers))


def _event(view: View, event: dict[str, Any], drifted: list[dict[str, Any]]) -> list[str]:
    t, fmt = view.t, view.fmt
    lines = [f"- **{named(t, 'names.event', event['type'])}** · {plain(event['subject'])} · {plain(fmt.instant(event['time']))} · {plain(event['source'])}"]
    columns = [one for one in drifted if one["event_id"] == event["id"]]
    shown = [
        f"{plain(feature_words(t, one['name']))} {fmt.number(one['effect'], 2)} {plain(told(t, fmt, 'drift', one['direction']))}".strip()
        for one in columns[:FEATURES]
    ]
    if shown:
        more = t("decisions.and_more", n=len(columns) - FEATURES) if len(columns) > FEATURES else ""
        lines.append(f"  - {t('decisions.drifted')}: {', '.join(shown)}{more}")
    numbers = [f"{plain(named(t, 'names.field', name))} {fmt.number(value, 3)}" for name, value in event["data"].items() if isinstance(value, float)]
    return lines + ([f"  - {', '.join(numbers)}"] if numbers else [])


def _decision(view: View, one: dict[str, Any]) -> list[str]:
    t = view.t
    severity = one.get("severity") or {}
    path = " → ".join(plain(told(t, view.fmt, "path", step)) for step in severity.get("path", []))
    said = {"rule": plain(rule_words(t, str(one.get("rule")))), "severity": named(t, "names.severity", str(severity.get("final"))), "path": path}
    lines = [f"- {t('decisions.by_rule', **said)}"]
    for answer in one.get("answers", []):
        lines += _answer(view, answer)
    return lines


def _answer(view: View, answer: dict[str, Any]) -> list[str]:
    """With each guard it passed, and the one that stopped it."""
    t, fmt = view.t, view.fmt
    outcome = named(t, "names.outcome", answer["outcome"])
    lines = [
        f"  - **{named(t, 'names.action', answer['action'])}** · {plain(answer['target'])}: **{outcome}** ({plain(reason_words(t, fmt, answer['reason']))})"
    ]
    passed = [named(t, "decisions.guard", one["guard"]) for one in answer["guards"] if one["passed"]]
    if passed:
        lines.append(f"    - :green[:material/check:] {t('decisions.guards_passed')}: {', '.join(passed)}")
    stopped = [one for one in answer["guards"] if not one["passed"]]
    lines += [f"    - :red[:material/block:] {named(t, 'names.guard', one['guard'])}: {plain(told(t, fmt, 'guard', one['detail']))}" for one in stopped]
    if answer.get("allowed_at"):
        lines.append(f"    - {t('decisions.allowed_again', at=fmt.instant(answer['allowed_at']))}")
    if answer.get("due_at") and answer["outcome"] == "deferred":
        lines.append(f"    - {t('decisions.due', at=fmt.instant(answer['due_at']))}")
    return lines


def _action(view: View, one: dict[str, Any]) -> list[str]:
    t, fmt = view.t, view.fmt
    badge = f":{COLOURS.get(one['status'], 'gray')}-badge[{named(t, 'names.status', one['status'])}]"
    lines = [f"- **{named(t, 'names.action', one['kind'])}** · {plain(one['target'])} {badge}"]
    if "requested_by" in one["params"]:
        lines.append(f"  - {t('decisions.asked_by', who=plain(str(one['params']['requested_by'])), why=plain(str(one['params'].get('reason', '–'))))}")
    if one["run_url"]:
        lines.append(f"  - [{t('decisions.run')}](<{one['run_url']}>) · {t('decisions.attempt', n=one['attempts'])}")
    lines += [
        f"  - {t('decisions.approval', answer=plain(named(t, 'models.answer', str(ask['answer'] or 'waits'))), who=plain(ask['who']))}"
        for ask in one["approvals"]
    ]
    if one["gates"]:
        failed = [f"{named(t, 'models.gate', gate['name'])} ({plain(told(t, fmt, 'gate', gate['detail']))})" for gate in one["gates"] if not gate["passed"]]
        said = t("decisions.gates_failed", gates="; ".join(failed)) if failed else t("decisions.gates_passed", n=len(one["gates"]))
        lines.append(f"  - {plain(one['version'] or '')}: {said}")
    for made in one["deployments"]:
        facts = {"version": plain(made["version"]), "epoch": made["epoch"], "workers": len(made["workers"]), "from": fmt.instant(made["served_from"])}
        lines.append(f"  - {named(t, 'models.kind', made['kind'])}: {t('decisions.deployed', **facts)}")
    if one["error"]:
        lines.append(f"  - :red[{plain(reason_words(t, fmt, one['error']))}]")
    return lines + [f"  - {t('decisions.led_to')}: {named(t, 'names.event', event['type'])} · {fmt.instant(event['time'])}" for event in one["results"]]
