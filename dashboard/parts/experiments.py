"""Experiments on people: what was found, and for operators starting and stopping one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import quote

import streamlit as st

from dashboard.api_client import ApiError
from dashboard.charts.recommendations import rates
from dashboard.escaped import plain
from dashboard.parts.acting import asked_once, not_done
from dashboard.told import told
from dashboard.view import View, empty, show_figure
from dashboard.words import named
from evergreen.core.access import Need
from evergreen.core.recommending import MODEL

MOST = 20
_COLOURS: Mapping[str, Literal["green", "blue", "gray", "red"]] = {"running": "green", "finished": "blue", "stopped": "gray", "broken": "red"}


def show(view: View) -> None:
    t = view.t
    st.subheader(t("recommendations.experiments_title"), anchor=False)
    st.caption(t("recommendations.experiments_hint"))
    found = view.api.get("/experiments", model=MODEL, limit=MOST)["experiments"]
    running = any(one["status"] == "running" for one in found)
    if view.may(Need.ACT) and not running:
        _start(view)
    if not found:
        empty(t("recommendations.no_experiments"), t("recommendations.no_experiments_hint"))
    for one in found:
        _experiment(view, one)


def _experiment(view: View, one: Mapping[str, Any]) -> None:
    t, fmt = view.t, view.fmt
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(one['name'])}**", width="content")
            st.badge(t(f"recommendations.status.{one['status']}"), color=_COLOURS[one["status"]])
            _sample_ratio(view, one["groups_as_planned"])
        st.text(told(t, view.fmt, "experiment", one["says"]))
        rates_known = [variant for variant in one["variants"] if variant["ctr"] is not None]
        if rates_known:
            st.markdown(f"**{t('recommendations.ctr_title')}**")
            figure = rates(one["variants"], axis=t("recommendations.ctr_axis"))
            show_figure(figure, key=f"ctr-{one['name']}", alt=t("recommendations.ctr_alt", name=one["name"]))
        st.dataframe([_variant(view, variant) for variant in one["variants"]], hide_index=True)
        began = t(
            "recommendations.began", who=plain(one["started_by"]), at=fmt.instant(one["started_time"], "short"), until=fmt.instant(one["until_time"], "short")
        )
        st.caption(f"{began} {plain(one['reason'])}")
        if one["ended_by"] is not None:
            st.caption(t("recommendations.ended", who=plain(one["ended_by"]), at=fmt.instant(one["ended_time"], "short"), why=plain(one["end_reason"] or "")))
        if view.may(Need.ACT) and one["status"] == "running":
            _stop(view, one["name"])


def _sample_ratio(view: View, as_planned: bool | None) -> None:
    t = view.t
    if as_planned is None:
        st.badge(t("recommendations.ratio_unknown"), color="gray", icon=":material/balance:")
    elif as_planned:
        st.badge(t("recommendations.ratio_good"), color="green", icon=":material/balance:", help=t("recommendations.ratio_help"))
    else:
        st.badge(t("recommendations.ratio_bad"), color="red", icon=":material/warning:", help=t("recommendations.ratio_help"))


def _variant(view: View, one: Mapping[str, Any]) -> dict[str, str]:
    t, fmt, counts = view.t, view.fmt, one["counts"] or {}
    sets = [*([f"@{one['version']}"] if one["version"] is not None else []), *(f"{name} {fmt.number(value, 2)}" for name, value in one["params"].items())]
    return {
        t("recommendations.column.variant"): one["name"],
        t("recommendations.column.sets"): ", ".join(sets) or t("recommendations.as_champion"),
        t("recommendations.column.planned"): fmt.share(one["planned"]),
        t("recommendations.column.exposed"): fmt.number(counts.get("exposed")),
        t("recommendations.column.counted"): fmt.number(counts.get("users")),
        t("recommendations.column.lists"): fmt.number(counts.get("lists")),
        t("recommendations.column.clicks"): fmt.number(counts.get("clicks")),
        t("recommendations.column.ctr"): _interval(view, one["ctr"]),
        t("recommendations.column.relative"): _interval(view, one["relative"]),
        t("recommendations.column.verdict"): "" if one["verdict"] is None else named(t, "recommendations.verdict", one["verdict"]),
    }


def _interval(view: View, found: Mapping[str, float] | None) -> str:
    share = view.fmt.share
    return "–" if found is None else f"{share(found['point'])} [{share(found['low'])}, {share(found['high'])}]"


def _start(view: View) -> None:
    t = view.t
    with st.expander(t("recommendations.start_title"), icon=":material/science:"), st.form("start_experiment", border=False):
        first, second = st.columns(2)
        name = first.text_input(t("recommendations.start_name"), max_chars=63, help=t("recommendations.start_name_help"))
        share = second.slider(t("recommendations.start_share"), 1, 100, 100, format="%d%%")
        challenger = first.text_input(t("recommendations.start_challenger"), value="diverse", max_chars=63)
        diversity = second.slider(t("recommendations.start_diversity"), 0.0, 1.0, 0.6, 0.05)
        reason = st.text_input(t("recommendations.reason_for"), max_chars=500)
        if st.form_submit_button(t("recommendations.start"), type="primary"):
            body = {"name": name.strip(), "model": MODEL, "share": share / 100, "reason": reason.strip()}
            body["challengers"] = [{"name": challenger.strip(), "params": {"diversity": diversity}}]
            _act(view, reason.strip(), lambda: asked_once(view, "start_experiment", "/experiments", body))


def _stop(view: View, name: str) -> None:
    t = view.t
    with st.popover(t("recommendations.stop"), icon=":material/stop_circle:"), st.form(f"stop-{name}", border=False):
        reason = st.text_input(t("recommendations.reason_for"), max_chars=500)
        if st.form_submit_button(t("recommendations.stop_now"), type="primary"):
            path, body = f"/experiments/{quote(name, safe='')}/stop", {"reason": reason.strip()}
            _act(view, reason.strip(), lambda: view.api.post(path, body))


def _act(view: View, reason: str, act: Callable[[], Any]) -> None:
    if not reason:
        st.error(view.t("recommendations.reason_needed"), icon=":material/error:")
        return
    try:
        act()
    except ApiError as error:
        not_done(view, error)
        return
    st.rerun()
