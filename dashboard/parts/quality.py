"""What was wrong with what was taken in: per dataset, over time, and batch by batch with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.charts import drift as charts
from dashboard.escaped import plain
from dashboard.formats import NOTHING
from dashboard.told import told
from dashboard.view import View, empty, show_figure
from dashboard.words import named

Row = Mapping[str, Any]
_DATASET = "quality_dataset"
"""Of the session, which knows before the page does what was picked: one question is enough."""


def quality(view: View) -> None:
    t = view.t
    every = t("drift.quality.every")
    found = view.api.get("/quality", dataset=st.session_state.get(_DATASET) or None, limit=200)
    names = [one["dataset"] for one in found["datasets"]]
    if not names:
        empty(t("drift.quality.none"), t("drift.quality.none_hint"))
        return
    chosen = st.segmented_control(t("drift.quality.dataset"), ["", *names], default="", format_func=lambda name: plain(name) or every, key=_DATASET)
    _totals(view, [one for one in found["datasets"] if not chosen or one["dataset"] == chosen])
    batches = found["batches"]
    if any(one["quarantined"] for one in batches):
        show_figure(charts.set_aside(t, view.fmt, batches), alt=t("drift.quality.chart_alt", n=len(batches)), key="quality_chart")
    _issues(view, batches)


def _totals(view: View, datasets: Sequence[Row]) -> None:
    t, fmt = view.t, view.fmt
    total = {name: sum(one[name] for one in datasets) for name in ("batches", "rows", "quarantined", "flagged", "incidents", "rejected")}
    whole = total["rows"] + total["quarantined"]
    facts = (
        ("batches", fmt.number(total["batches"])),
        ("rows", fmt.number(total["rows"])),
        ("quarantined", f"{fmt.number(total['quarantined'])} ({fmt.share(total['quarantined'] / whole if whole else None, 2)})"),
        ("incidents", fmt.number(total["incidents"] + total["rejected"])),
    )
    for column, (name, value) in zip(st.columns(4), facts, strict=True):
        column.metric(t(f"drift.quality.{name}"), value, help=t(f"drift.quality.{name}_help"), border=True)


def _issues(view: View, batches: Sequence[Row]) -> None:
    t, fmt = view.t, view.fmt
    st.subheader(t("drift.quality.issues"))
    rows = [
        {
            t("drift.quality.dataset"): one["dataset"],
            t("drift.quality.days"): f"{fmt.day(one['first_day'])} – {fmt.day(one['last_day'])}",
            t("drift.quality.kind"): named(t, "drift.issue", str(issue.get("kind", ""))),
            t("drift.quality.column"): named(t, "names.column", issue["column"], issue["column"]) if issue.get("column") else NOTHING,
            t("drift.quality.count"): issue.get("count"),
            t("drift.quality.share"): fmt.share(issue.get("share"), 2),
            t("drift.quality.what"): told(t, fmt, "quality", str(issue.get("detail", ""))),
            t("drift.quality.verdict"): _verdict(view, one),
        }
        for one in batches
        for issue in one["issues"]
    ]
    if rows:
        st.dataframe(rows, hide_index=True, alt=t("drift.quality.issues"))
    else:
        empty(t("drift.quality.fine"), t("drift.quality.fine_hint"))


def _verdict(view: View, batch: Row) -> str:
    if batch["status"] == "rejected":
        return view.t("drift.quality.rejected")
    return view.t("drift.quality.incident" if batch["incident"] else "drift.quality.accepted")
