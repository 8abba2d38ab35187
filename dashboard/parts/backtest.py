"""Move one of the policy's numbers, and see what would have happened on the recorded events."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.charts.backtest import actions_side_by_side
from dashboard.escaped import plain
from dashboard.parts.decision_list import COLOURS, explain_button
from dashboard.parts.policy_matrix import lasting
from dashboard.view import View, empty, show_figure
from dashboard.words import named

DAYS = (7, 30, 90)
SECONDS = 45.0
"""Serving gives one ten to wait for its turn, and thirty."""


def backtest(view: View) -> None:
    t = view.t
    st.caption(t("decisions.backtest.note"))
    policy = view.api.get("/policy")
    numbers = {one["key"]: one for one in numbers_of(policy)}
    left, right = st.columns([3, 1])
    with left:
        picked = st.selectbox(t("decisions.backtest.number"), list(numbers), format_func=lambda key: label_of(view, numbers[key]), key="backtest_number")
    number = numbers[picked]
    with right:
        days = st.selectbox(t("decisions.backtest.days"), DAYS, index=2, format_func=lambda n: t("decisions.backtest.last", n=n), key="backtest_days")
    low, high, step = scale_of(number)
    now = number["value"]
    title, key = t("decisions.backtest.move", now=shown(view, number, now)), f"backtest_{policy['hash'][:8]}_{number['key']}"
    value = st.slider(title, low, high, min(max(now, low), high), step, format="%.2f" if step < 1 else "%.0f", key=key)
    if value == now:
        empty(t("decisions.backtest.unmoved"), t("decisions.backtest.unmoved_hint"))
        return
    with st.spinner(t("decisions.backtest.working")):
        found = _asked(view, body_of(number, value, days))
    _difference(view, found, t("decisions.backtest.moved_to", what=label_of(view, number), now=shown(view, number, now), then=shown(view, number, value)))


def _asked(view: View, body: dict[str, Any]) -> Any:
    """Looked at again only when something was moved."""
    known = st.session_state.get("backtest_found")
    if known is None or known[0] != body:
        known = st.session_state["backtest_found"] = (body, view.api.post("/policy/backtest", body, seconds=SECONDS))
    return known[1]


def numbers_of(policy: dict[str, Any]) -> list[dict[str, Any]]:
    """What can be moved: thresholds of evidence, then cooldowns in minutes."""
    thresholds = [
        {**one, "kind": "threshold", "key": "_".join((one["event_type"], one["severity"], one["field"])), "value": float(one["above"])}
        for one in policy["thresholds"]
    ]
    cooldowns = [{"kind": "cooldown", "action": kind, "key": f"cooldown_{kind}", "value": seconds / 60} for kind, seconds in policy["cooldowns"].items()]
    return thresholds + cooldowns


def _key(threshold: dict[str, Any]) -> str:
    return "_".join((threshold["event_type"], threshold["severity"], threshold["field"]))


def label_of(view: View, number: dict[str, Any]) -> str:
    t = view.t
    if number["kind"] == "cooldown":
        return t("decisions.backtest.cooldown", action=named(t, "names.action", number["action"]))
    words = {"event": named(t, "names.event", number["event_type"]), "severity": named(t, "names.severity", number["severity"])}
    return t("decisions.backtest.threshold", field=named(t, "names.field", number["field"]), **words)


def scale_of(number: dict[str, Any]) -> tuple[float, float, float]:
    """Low, high, step: shares in hundredths, counts one by one, cooldowns by five minutes."""
    if number["kind"] == "cooldown":
        return 0.0, 1440.0, 5.0
    if number["field"] == "affected_features":
        return 0.0, 20.0, 1.0
    return 0.0, max(1.0, 2 * number["value"]), 0.01


def shown(view: View, number: dict[str, Any], value: float) -> str:
    return lasting(view, value * 60) if number["kind"] == "cooldown" else f"{value:g}"


def body_of(number: dict[str, Any], value: float, days: int) -> dict[str, Any]:
    if number["kind"] == "cooldown":
        return {"days": days, "cooldowns": {number["action"]: int(value * 60)}}
    return {"days": days, "thresholds": [{name: number[name] for name in ("event_type", "severity", "field")} | {"above": value}]}


def _difference(view: View, found: dict[str, Any], moved: str) -> None:
    t, fmt = view.t, view.fmt
    st.markdown(f"**{moved}**")
    said = {"n": fmt.number(found["differing"]), "of": fmt.number(found["decisions"])}
    if found["differing"]:
        st.warning(t("decisions.backtest.differs", **said), icon=":material/difference:")
    else:
        st.success(t("decisions.backtest.same", **said), icon=":material/check_circle:")
    columns = st.columns(4)
    for place, kind in enumerate(("retrain", "rollback", "alert")):
        count = found["actions"].get(kind, {"running": 0, "moved": 0})
        change = count["moved"] - count["running"]
        columns[place].metric(named(t, "names.action", kind), fmt.number(count["moved"]), delta=change or None, delta_color="off")
    was, would = found["minutes_to_react"]["running"], found["minutes_to_react"]["moved"]
    delta = None if was is None or would is None or abs(would - was) < 0.05 else fmt.number(would - was, 1)
    columns[3].metric(t("decisions.backtest.react"), t("decisions.minutes", n=fmt.number(would, 1)), delta=delta, delta_color="inverse")
    show_figure(actions_side_by_side(found["actions"], t), alt=t("decisions.backtest.alt"), key="backtest_chart")
    if found["missed"]:
        st.error(t("decisions.backtest.missed", n=len(found["missed"])), icon=":material/warning:")
    if found["gained"]:
        st.info(t("decisions.backtest.gained", n=found["gained"]), icon=":material/add_alert:")
    for place, one in enumerate(found["examples"]):
        _example(view, one, f"backtest_{place}")


def _example(view: View, one: dict[str, Any], key: str) -> None:
    t = view.t
    with st.container(border=True):
        what, button = st.columns([6, 1], vertical_alignment="center")
        what.markdown(f"**{named(t, 'names.event', one['type'])}** · {plain(one['model'])}")
        for policy in ("running", "moved"):
            what.markdown(f"{t(f'decisions.backtest.{policy}')}: {' '.join(_answer(view, said) for said in one[policy])}")
        what.caption(plain(view.fmt.instant(one["at"])))
        explain_button(view, button, one["event"], key)


def _answer(view: View, said: str) -> str:
    """From `retrain accepted now high`."""
    action, outcome, *when = said.split(" ")
    words = [named(view.t, "names.outcome", outcome)] + [named(view.t, "decisions.when", one) for one in when if one != "normal"]
    return f":{COLOURS.get(outcome, 'gray')}-badge[{named(view.t, 'names.action', action)}: {', '.join(words)}]"
