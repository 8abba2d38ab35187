"""Health of every part, how long events take, what waits, and the seen index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.escaped import plain
from dashboard.view import View, empty


def parts(view: View) -> None:
    now, t = view.api.get("/system"), view.t
    st.subheader(t("system.parts.title"))
    _health(view, now["parts"])
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader(t("system.hops.title"), help=t("system.hops.help"))
        _hops(view, now["hops"])
        _queues(view, now["queues"])
    with right:
        st.subheader(t("system.lag.title"), help=t("system.lag.help"))
        _lag(view, now["parts"])
        st.subheader(t("system.bloom.title"), help=t("system.bloom.help"))
        _bloom(view)


def _health(view: View, found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        empty(view.t("system.parts.empty"), view.t("system.parts.empty_hint"))
        return
    with st.container(horizontal=True, gap="small"):
        for part in found:
            failing = not part["up"]
            colour: Any = "red" if failing else "orange" if part["faults"] else "green"
            icon = ":material/error:" if failing else ":material/warning:" if part["faults"] else ":material/check_circle:"
            say = view.t("system.parts.down" if failing else "system.parts.up", faults=view.fmt.number(part["faults"]), at=view.fmt.instant(part["told_at"]))
            st.badge(plain(part["name"]), icon=icon, color=colour, help=say)
    down = [part["name"] for part in found if not part["up"]]
    if down:
        st.error(view.t("system.parts.some_down", names=plain(", ".join(down))), icon=":material/error:")


def _hops(view: View, hops: Sequence[Mapping[str, Any]]) -> None:
    t, fmt = view.t, view.fmt
    if not any(hop["count"] for hop in hops):
        empty(t("system.hops.empty"))
        return
    shares = ("p50", "p95", "p99")
    rows = [
        {t("system.hops.hop"): t(f"system.hops.{hop['name']}"), **{share: fmt.milliseconds(hop[f"{share}_seconds"]) for share in shares}}
        | {t("system.hops.count"): fmt.number(hop["count"])}
        for hop in hops
    ]
    st.dataframe(rows, hide_index=True, alt=t("system.hops.title"))


def _queues(view: View, queues: Mapping[str, Any] | None) -> None:
    if queues is None:
        return
    t, fmt = view.t, view.fmt
    with st.container(horizontal=True, gap="small"):
        st.metric(t("system.queue.unsent"), fmt.number(queues["unsent"]), help=t("system.queue.unsent_help"), width=150)
        st.metric(t("system.queue.oldest"), t("system.queue.seconds", n=fmt.number(queues["oldest_unsent_seconds"], 1)), width=150)
        st.metric(t("system.queue.dead"), fmt.number(queues["dead_letters"]), help=t("system.queue.dead_help"), width=150)


def _lag(view: View, found: Sequence[Mapping[str, Any]]) -> None:
    t = view.t
    rows = [{t("system.lag.group"): group, t("system.lag.behind"): count} for part in found for group, count in sorted(part["lag"].items())]
    if not rows:
        empty(t("system.lag.empty"), t("system.parts.empty_hint"))
        return
    st.dataframe(rows, hide_index=True, alt=t("system.lag.title"), column_config={t("system.lag.behind"): st.column_config.NumberColumn(format="localized")})


def _bloom(view: View) -> None:
    t, fmt, stats = view.t, view.fmt, view.api.get("/bloom/stats")
    if not stats["ready"]:
        st.warning(t("system.bloom.rebuilding"), icon=":material/hourglass_top:")
    with st.container(horizontal=True, gap="small"):
        st.metric(t("system.bloom.days"), fmt.number(stats["total_filters"]), width=110)
        st.metric(
            t("system.bloom.items"),
            fmt.compact(stats["estimated_items"]),
            t("system.bloom.of", capacity=fmt.compact(stats["total_capacity"])),
            delta_color="off",
            delta_arrow="off",
            width=150,
        )
        st.metric(t("system.bloom.wrong"), fmt.share(stats["false_positive_rate"], 3), width=130)
        st.metric(t("system.bloom.size"), fmt.size(stats["bits"] / 8), width=160)
