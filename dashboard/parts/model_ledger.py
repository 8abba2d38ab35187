"""What retrains cost, promised and were worth."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.charts.models import retrain_worth
from dashboard.told import reason_words, told
from dashboard.view import View, show_figure


def ledger(view: View, model: str) -> None:
    t, fmt = view.t, view.fmt
    st.subheader(t("models.ledger"))
    found = view.api.get(f"/models/{model}/ledger")
    totals = found["totals"]
    columns = st.columns(4)
    columns[0].metric(t("models.retrains"), fmt.number(totals["retrains"]), help=t("models.retrains_help", **totals))
    columns[1].metric(t("models.cost"), t("models.seconds", n=fmt.number(totals["cost_seconds"], 1)))
    columns[2].metric(t("models.promised_mean"), fmt.share(totals["mean_promised"]), help=t("models.compared_help", n=totals["compared"]))
    columns[3].metric(t("models.realised_mean"), fmt.share(totals["mean_realised"]), help=t("models.compared_help", n=totals["compared"]))
    show_figure(retrain_worth(found["entries"], t), alt=t("models.ledger_alt"), key="models_ledger")
    st.caption(t("models.ledger_note"))
    with st.expander(t("models.ledger_rows")):
        st.dataframe([_worth(view, one) for one in reversed(found["entries"])], hide_index=True)


def _worth(view: View, one: dict[str, Any]) -> dict[str, str]:
    t, fmt = view.t, view.fmt
    return {
        t("models.column.version"): one["version"],
        t("models.column.cause"): reason_words(t, fmt, one["cause"]),
        t("models.column.cost"): t("models.seconds", n=fmt.number(one["cost_seconds"], 1)),
        t("models.promised"): _with_interval(view, one["promised"], one["promised_interval"]),
        t("models.realised"): _with_interval(view, one["realised"], one["realised_interval"]),
        t("models.column.rows"): fmt.number(one["rows"]),
        t("models.column.outcome"): told(t, fmt, "ledger", one["outcome"]),
    }


def _with_interval(view: View, point: float | None, interval: list[float] | None) -> str:
    """-9.9% [-16.0%, -3.3%]"""
    if point is None or interval is None:
        return view.fmt.share(point)
    return f"{view.fmt.share(point)} [{view.fmt.share(interval[0])}, {view.fmt.share(interval[1])}]"
