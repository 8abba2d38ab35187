"""A model's versions as a table, and one of them with every gate of its evaluation."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import Any

import streamlit as st

from dashboard.charts.measures import CHANGE, measured
from dashboard.escaped import plain
from dashboard.parts.tables import row, table, table_style
from dashboard.told import reason_words, told
from dashboard.view import View
from dashboard.words import Words, named

REPORT_HEIGHT = 720


def versions_table(view: View, versions: list[dict[str, Any]], measure: str, name: str) -> None:
    """Newest first. `name`: the column of `measure`, where it is none of the others."""
    more = measure not in {CHANGE, versions[0]["metric"]}
    st.dataframe(
        [_row(view, one) | ({name: measure_of(view, one, measure)} if more else {}) for one in versions], hide_index=True, alt=view.t("models.versions_alt")
    )


def _row(view: View, one: dict[str, Any]) -> dict[str, str]:
    t, fmt, judged = view.t, view.fmt, one["judged"]
    change = "" if judged is None or judged["relative"] is None else fmt.share(judged["relative"])
    return {
        t("models.column.version"): f"@{one['number']}",
        t("models.column.state"): state_of(view, one),
        t("models.column.error"): measure_of(view, one, one["metric"]),
        t("models.column.change"): change,
        t("models.column.gates"): "" if judged is None else f"{judged['passed']} / {judged['gates']}",
        t("models.column.trained"): f"{fmt.day(one['trained'][0])} – {fmt.day(one['trained'][1])}",
        t("models.column.rows"): fmt.number(one["rows"]),
        t("models.column.cause"): reason_words(t, fmt, one["cause"]),
    }


def state_of(view: View, one: dict[str, Any]) -> str:
    """Aliases first, then what the gates said and what became of it."""
    t = view.t
    words = [t(f"models.alias.{alias}") for alias in one["aliases"]]
    if one["quarantined"]:
        words.append(t("models.quarantined"))
    elif one["stable"]:
        words.append(t("models.stable"))
    return " · ".join(dict.fromkeys([*words, t(f"models.status.{one['status']}")]))


def measure_of(view: View, one: dict[str, Any], measure: str) -> str:
    point, interval = measured(one, measure)
    digits = 0 if point is not None and float(point).is_integer() else 4
    said = view.fmt.number(point, digits)
    return said if interval is None else f"{said} [{view.fmt.number(interval[0], 4)}, {view.fmt.number(interval[1], 4)}]"


def one_version(view: View, model: str, versions: list[dict[str, Any]]) -> None:
    t = view.t
    st.subheader(t("models.one_version"))
    number = st.selectbox(
        t("models.version"),
        [one["number"] for one in versions],
        format_func=lambda number: f"{model}@{number} · {state_of(view, next(one for one in versions if one['number'] == number))}",
        key=f"models_version_{model}",
    )
    found = view.api.get(f"/models/{model}/versions/{number}")
    _verdict(view, found)
    if found["gates"]:
        table_style()
        st.html(gates_table(view, found["gates"]))
    _measured(view, found)
    with st.container(horizontal=True):
        st.link_button(t("models.in_mlflow"), found["url"], icon=":material/open_in_new:")
        st.link_button(t("models.run_in_mlflow"), found["run_url"], icon=":material/open_in_new:")
    if st.toggle(t("models.report"), key="models_report"):
        html = view.api.page(f"/models/{model}/versions/{number}/report")
        address = f"data:text/html;charset=utf-8;base64,{b64encode(html.encode()).decode()}"  # of no origin: what is in it reaches nothing here
        st.iframe(address, height=REPORT_HEIGHT, alt=t("models.report"))
        st.download_button(t("models.report_save"), html, f"{model}-{number}.html", "text/html", icon=":material/download:")


def _verdict(view: View, found: dict[str, Any]) -> None:
    t, fmt, judged = view.t, view.fmt, found["judged"]
    if found["quarantined"]:
        st.error(t("models.quarantined_because", why=plain(reason_words(t, fmt, found["quarantined"]))), icon=":material/block:")
    if judged is None:
        st.info(t("models.not_judged"), icon=":material/hourglass_empty:")
        return
    window = found["window"]
    days = "" if window is None else f"{fmt.day(window[0])} – {fmt.day(window[1])}"
    facts = {"against": plain(judged["against"]), "rows": fmt.number(judged["rows"]), "days": days, "passed": judged["passed"], "gates": judged["gates"]}
    if judged["approved"]:
        st.success(t("models.approved_against", **facts), icon=":material/check_circle:")
    else:
        failed = ", ".join(named(t, "models.gate", name) for name in found["failed_gates"])
        st.warning(t("models.refused_against", failed=failed, **facts), icon=":material/cancel:")


def gates_table(view: View, gates: list[dict[str, Any]]) -> str:
    """Every gate with what it found and its numbers."""
    t = view.t
    return table([t(f"models.column.{name}") for name in ("gate", "verdict", "found", "numbers")], [_gate(view, one) for one in gates])


def _gate(view: View, one: dict[str, Any]) -> str:
    t = view.t
    good = "eg-good" if one["passed"] else "eg-bad"
    said = ("✓ " if one["passed"] else "✗ ") + t("models.passed" if one["passed"] else "models.failed")
    numbers = " ".join(f"<span>{escape(_number_name(t, name))} = {_number(value)}</span>" for name, value in one["numbers"].items())
    name = escape(named(t, "models.gate", one["name"]))
    return row(
        name, f"<span class='{good}'>{escape(said)}</span>", escape(told(t, view.fmt, "gate", one["detail"])), f"<span class='eg-numbers'>{numbers}</span>"
    )


def _number_name(t: Words, name: str) -> str:
    segment = name.removeprefix("segment_")
    return named(t, "names.number", name) if segment == name else t("models.segment", name=segment)


def _number(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < 1e6 else f"{value:,.0f}"


def _measured(view: View, found: dict[str, Any]) -> None:
    t, fmt, seen = view.t, view.fmt, found["performance"]
    if seen is None:
        return
    first, second, third = st.columns(3)
    change = seen["current"] / seen["baseline"] - 1 if seen["baseline"] else 0.0
    low, high = seen["drop_interval"]
    first.metric(
        t("models.measured"),
        fmt.number(seen["current"], 4),
        delta=fmt.share(change),
        delta_color="inverse" if found["direction"] == "lower" else "normal",
        help=t("models.measured_help", against=plain(seen["against"])),
    )
    second.metric(t("models.drop"), f"{fmt.share(low, 0)} … {fmt.share(high, 0)}", help=t("models.drop_help"))
    third.metric(t("models.outcomes"), fmt.number(seen["n"]), help=t("models.outcomes_help", share=fmt.share(seen["coverage"], 0)))
