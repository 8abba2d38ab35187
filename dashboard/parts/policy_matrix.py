"""The policy in force: what follows from which event at which severity, and the numbers of its guards."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from dashboard.parts.tables import row, table, table_style
from dashboard.told import code_words
from dashboard.view import View
from dashboard.words import Words, named

SEVERITIES = ("low", "medium", "high", "critical")


def policy_matrix(view: View) -> None:
    t = view.t
    policy = view.api.get("/policy")
    table_style()
    st.subheader(t("decisions.policy.matrix"))
    st.caption(t("decisions.policy.matrix_note", hash=policy["hash"][:12]))
    titles = [t("decisions.policy.event"), *(named(t, "names.severity", word) for word in SEVERITIES)]
    st.html(table(titles, [_rule(view, rule) for rule in sorted(policy["rules"], key=_place)]))
    left, right = st.columns(2)
    with left:
        st.subheader(t("decisions.policy.evidence"))
        st.caption(t("decisions.policy.evidence_note"))
        titles = [t(f"decisions.policy.{name}") for name in ("event", "bound", "becomes")]
        st.html(table(titles, [_bound(view, one) for one in policy["thresholds"]]))
    with right:
        st.subheader(t("decisions.policy.guards"))
        st.caption(t("decisions.policy.guards_note"))
        st.html(table([t("decisions.policy.guard"), t("decisions.policy.numbers")], [row(escape(name), escape(said)) for name, said in guards(view, policy)]))


def _place(rule: dict[str, Any]) -> tuple[bool, str]:
    """Where the severity matters first: the policy's record keeps no order."""
    return rule["alike"], rule["event_type"]


def _rule(view: View, rule: dict[str, Any]) -> str:
    always = "".join(f"<div class='eg-soft'>+ {escape(named(view.t, 'names.action', kind))}</div>" for kind in rule["always"])
    name = escape(named(view.t, "names.event", rule["event_type"])) + always
    if rule["alike"]:
        return f"<tr><th scope='row'>{name}</th><td colspan='4'>{_cells(view, rule['by_severity']['low'])}</td></tr>"
    return row(name, *(_cells(view, rule["by_severity"][word]) for word in SEVERITIES))


def _cells(view: View, cells: list[dict[str, Any]]) -> str:
    return "".join(f"<div>{_cell(view, cell)}</div>" for cell in cells)


def _cell(view: View, cell: dict[str, Any]) -> str:
    """What is done; softly, when."""
    t = view.t
    actions = " + ".join(escape(named(t, "names.action", kind)) for kind in (cell["action"], *cell["beside"]))
    conditions = [_condition(t, name, value) for name, value in cell["condition"].items()]
    soft = [t("decisions.policy.in_window")] if cell["when"] == "maintenance_window" else []
    soft += [t("decisions.policy.first")] if cell["priority"] == "high" else []
    soft += [t("decisions.policy.if", what=", ".join(conditions))] if conditions else []
    return actions + (f" <span class='eg-soft'>{escape(' · '.join(soft))}</span>" if soft else "")


def _condition(t: Words, name: str, value: object) -> str:
    """True: it holds; `*`: there is one."""
    field = named(t, "names.field", name)
    if value is True:
        return field
    return t("decisions.policy.known", what=field) if value == "*" else f"{field} = {code_words(t, str(value))}"


def _bound(view: View, one: dict[str, Any]) -> str:
    t = view.t
    bound = f"{named(t, 'names.field', one['field'])} &gt; {one['above']:g}"
    return row(escape(named(t, "names.event", one["event_type"])), bound, escape(named(t, "names.severity", one["severity"])))


def guards(view: View, policy: dict[str, Any]) -> list[tuple[str, str]]:
    """Each guard's name and numbers, in the order a response passes them."""
    t = view.t
    cooldowns = ", ".join(f"{named(t, 'names.action', kind)} {lasting(view, seconds)}" for kind, seconds in policy["cooldowns"].items())
    limits = ", ".join(t("decisions.policy.a_day", action=named(t, "names.action", kind), n=limit) for kind, limit in policy["daily_limits"].items())
    hours = policy["working_hours"]
    days = ", ".join(named(t, "decisions.weekday", day) for day in policy["working_days"])
    watched = t("decisions.policy.always") if hours is None else f"{hours[0]}–{hours[1]}, {days} ({policy['timezone']})"
    first, longest = policy["failure_backoff"]
    storm = {"n": policy["storm_more_than"], "within": lasting(view, policy["storm_within"])}
    return [
        (t("decisions.guard.stale"), lasting(view, policy["stale_after"])),
        (t("decisions.guard.cooldown"), f"{cooldowns}, {t('decisions.policy.others', n=lasting(view, policy['default_cooldown']))}"),
        (t("decisions.policy.backoff"), f"{lasting(view, first)} → {lasting(view, longest)}"),
        (t("decisions.guard.storm"), t("decisions.policy.storm", **storm)),
        (t("decisions.guard.working_hours"), watched),
        (t("decisions.guard.blast_radius"), f"{limits}, {t('decisions.policy.new_rows', n=policy['min_new_rows'])}"),
        (t("decisions.policy.window"), "–".join(policy["maintenance_window"])),
        (t("decisions.policy.approval"), ", ".join(policy["manual_approval"]) or t("decisions.policy.nobody")),
    ]


def lasting(view: View, seconds: float) -> str:
    """Exactly: 90 min, 24 h."""
    if seconds >= 3600 and seconds % 3600 == 0:
        return view.t("decisions.hours", n=view.fmt.number(seconds / 3600))
    return view.t("decisions.minutes", n=view.fmt.number(seconds / 60, 0 if seconds % 60 == 0 else 1))
