"""One check looked at closely: what each feature came to, one feature's two distributions, the report made for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.api_client import ApiError
from dashboard.charts import drift as charts
from dashboard.formats import NOTHING
from dashboard.told import feature_words, told
from dashboard.view import View, empty, show_figure

Report = Mapping[str, Any]


def evidence(view: View, reports: Sequence[Report]) -> None:
    """`reports`: of one model, newest first. `?report=ID` opens that one: Airflow's UI links here."""
    t = view.t
    st.subheader(t("drift.look.title"))
    where, what = st.columns(2)
    by_id = {one["id"]: one for one in reports}
    asked = st.query_params.get("report")
    usual = next((one for one in reports if one["drifted"]), reports[0])["id"]
    first = list(by_id).index(asked if asked in by_id else usual)
    with where:
        chosen = st.selectbox(t("drift.look.window"), list(by_id), first, format_func=lambda one: _window(view, by_id[one]), key="drift_window")
    _addressed(None if chosen == usual else chosen)
    report = view.api.get(f"/drift/reports/{chosen}")
    found = {one["feature"]: one for one in [*report["features"], *([report["prediction"]] if report["prediction"] else [])]}
    with what:
        feature = st.selectbox(t("drift.look.feature"), list(found), format_func=lambda name: _feature(view, found[name]), key="drift_feature")
    if feature is not None:
        _numbers(view, found[feature])
        _distribution(view, report, feature)
    _all(view, report)
    _picture(view, report)


def _addressed(report: str | None) -> None:
    """Another window than the usual one is part of the address: it is there again after a look at the other tab."""
    if report is None:
        st.query_params.pop("report", None)
    elif st.query_params.get("report") != report:
        st.query_params["report"] = report


def _window(view: View, report: Report) -> str:
    days = f"{view.fmt.day(report['first_day'])} – {view.fmt.day(report['last_day'])}"
    return f"{days} · {report['version']} · {view.fmt.number(report['score'], 2)}{' ●' if report['drifted'] else ''}"


def _feature(view: View, found: Report) -> str:
    return f"{feature_words(view.t, found['feature'])}{' ●' if found['drifted'] else ''}"


def _numbers(view: View, found: Report) -> None:
    t, fmt = view.t, view.fmt
    facts = (
        (t("drift.effect"), fmt.number(found["statistic"], 3), t("drift.effect_help", threshold=fmt.number(found["threshold"], 2))),
        (t("drift.q_value"), q_words(found["q_value"]), t("drift.q_value_help")),
        (t("drift.verdict"), t("drift.drifted" if found["drifted"] else "drift.calm"), t("drift.verdict_help")),
        (t("drift.weight"), fmt.share(found["weight"]) if found["weight"] else NOTHING, t("drift.weight_help")),
    )
    for column, (name, value, about) in zip(st.columns(4), facts, strict=True):
        column.metric(name, value, help=about, border=True)
    said = [found["direction"], *found["findings"]]
    st.text("; ".join(told(t, fmt, "drift", part) for part in said if part))


def q_words(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 1e-300" if value == 0 else f"{value:.1e}"


def _distribution(view: View, report: Report, feature: str) -> None:
    t = view.t
    if not report["distributions"]:
        empty(t("drift.distribution.none"), t("drift.distribution.none_hint"))
        return
    try:
        found = view.api.get(f"/drift/reports/{report['id']}/distribution", feature=feature)
    except ApiError as error:
        if not error.not_found:
            raise
        empty(t("drift.distribution.none"), t("drift.distribution.none_hint"))
        return
    alt = t(
        "drift.distribution.alt",
        feature=feature_words(t, feature),
        reference=view.fmt.number(found["n_reference"]),
        current=view.fmt.number(found["n_current"]),
    )
    left, right = st.columns([3, 2]) if found["curve"] else (st.container(), None)
    with left:
        show_figure(charts.distribution(t, found, view.language), alt=alt, key="drift_distribution")
    if right is not None:
        with right:
            show_figure(charts.cumulative(t, found), alt=alt, key="drift_cumulative")
    if found["unknown_reference"] or found["unknown_current"]:
        shares = {side: view.fmt.share(found[f"unknown_{side}"]) for side in ("reference", "current")}
        st.caption(t("drift.distribution.unknown", **shares))


def _all(view: View, report: Report) -> None:
    """As a table: what the heat map shows in colours, readable without them."""
    t = view.t
    with st.expander(t("drift.all.title", n=len(report["features"]))):
        rows = [
            {
                t("drift.look.feature"): feature_words(t, one["feature"]),
                t("drift.effect"): round(one["statistic"], 3),
                t("drift.q_value"): q_words(one["q_value"]),
                t("drift.verdict"): t("drift.drifted" if one["drifted"] else "drift.calm"),
                t("drift.weight"): view.fmt.share(one["weight"]),
                t("drift.direction"): told(t, view.fmt, "drift", one["direction"]),
            }
            for one in [*report["features"], *report["losses"]]
        ]
        st.dataframe(rows, hide_index=True, alt=t("drift.all.title", n=len(rows)))
        for note in report["notes"]:
            st.text(told(t, view.fmt, "drift", note))


def _picture(view: View, report: Report) -> None:
    t = view.t
    if report["picture"] == "none":
        st.caption(t("drift.picture.none"))
    elif report["picture"] == "expected":
        st.caption(t("drift.picture.expected"))
    elif st.toggle(t("drift.picture.show"), key="drift_picture"):
        st.iframe(f"/reports/drift/{report['id']}", height=900, alt=t("drift.picture.alt"))
