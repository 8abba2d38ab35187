"""Every topic: how far, how fast, how far behind its readers are."""

from __future__ import annotations

import streamlit as st

from dashboard.formats import parsed
from dashboard.view import View


def topics(view: View) -> None:
    t, fmt, found = view.t, view.fmt, view.api.get("/system/topics")
    now = parsed(found["at"])
    rows = [
        {
            "topic": topic["name"],
            "partitions": len(topic["partitions"]),
            "ends": " · ".join(fmt.number(one["end"]) for one in topic["partitions"]),
            "messages": topic["messages"],
            "per_minute": topic["per_minute"],
            "last": fmt.ago((now - parsed(topic["last_at"])).total_seconds()) if topic["last_at"] else fmt.instant(None),
            "lag": ", ".join(f"{group.removeprefix('evergreen-')} {fmt.number(count)}" for group, count in sorted(topic["lag"].items())),
        }
        for topic in found["topics"]
    ]
    number = {"messages": st.column_config.NumberColumn(t("system.topics.messages"), format="localized")}
    number["per_minute"] = st.column_config.NumberColumn(t("system.topics.per_minute"), format="%.1f")
    words = {name: st.column_config.Column(t(f"system.topics.{name}")) for name in ("topic", "partitions", "ends", "last", "lag")}
    words["partitions"] = st.column_config.Column(t("system.topics.partitions"), width=80)
    words["lag"] = st.column_config.Column(t("system.topics.lag"), width=220)
    behind = sum(count for topic in found["topics"] for count in topic["lag"].values())
    st.caption(t("system.topics.says", count=fmt.number(len(rows)), at=fmt.instant(found["at"]), behind=fmt.number(behind)))
    st.dataframe(rows, hide_index=True, column_config={**words, **number}, height=min(38 + 35 * len(rows), 840), alt=t("system.tab.topics"))
