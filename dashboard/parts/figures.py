"""A prediction in numbers, and what the seen index says of its video."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.formats import NOTHING
from dashboard.view import View

_STYLE = """<style>
.eg-figures {display: grid; grid-template-columns: repeat(auto-fill, minmax(108px, 1fr)); gap: .5rem; margin: 0}
.eg-figures > div {border: 1px solid rgba(128, 128, 128, .35); border-radius: .6rem; padding: .5rem .7rem; min-width: 0}
.eg-label {font-size: .78rem; opacity: .78; margin: 0; overflow-wrap: anywhere}
.eg-value {font-size: 1.08rem; font-weight: 600; margin: .1rem 0 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums}
.eg-first .eg-value {font-size: 1.3rem}
</style>"""


def bloom(view: View, status: str) -> None:
    if status.startswith("probably"):
        st.success(view.t("search.seen"), icon=":material/visibility:")
    elif status.startswith("not seen"):
        st.info(view.t("search.not_seen"), icon=":material/history:")
    else:
        st.warning(view.t("search.seen_unknown"), icon=":material/help:")


def figures(view: View, said: Mapping[str, Any]) -> None:
    t, fmt, span = view.t, view.fmt, said["interval"]
    first = [
        (t("search.score"), fmt.number(said["performance_score"], 1), t("search.score_help")),
        (t("search.top"), t("search.top_share", share=fmt.number(said["percentile"], 1)), t("search.top_help")),
        (t("search.confidence"), fmt.share(said["confidence"], 0), t("search.confidence_help")),
    ]
    between = t("search.between", lower=fmt.compact(span["lower"]), upper=fmt.compact(span["upper"]))
    others = [
        (t("search.predicted_views"), fmt.number(said["predicted_views"]), ""),
        (t("search.interval", coverage=fmt.share(span["coverage"], 0)), between, t("search.interval_help")),
        (t("search.viral"), fmt.share(said["viral_probability"]), t("search.viral_help")),
        (t("search.trend"), _word(view, "trend", said["trend_prediction"]), ""),
        (t("search.growth"), _word(view, "growth", said["growth_potential"]), ""),
        (t("search.views"), fmt.number(said["view_count"]), ""),
        (t("search.likes"), fmt.number(said["like_count"]), ""),
        (t("search.comments"), fmt.number(said["comment_count"]), ""),
        (t("search.engagement"), fmt.share(said["engagement_rate"], 2), ""),
    ]
    st.html(_STYLE + _grid(first, others))


def _grid(first: Sequence[tuple[str, str, str]], others: Sequence[tuple[str, str, str]]) -> str:
    boxes = [_box(one, "eg-first") for one in first] + [_box(one, "") for one in others]
    return f'<div class="eg-figures">{"".join(boxes)}</div>'


def _box(figure: tuple[str, str, str], kind: str) -> str:
    label, value, about = (html.escape(text) for text in figure)
    return f'<div class="{kind}" title="{about}"><div class="eg-label">{label}</div><div class="eg-value">{value}</div></div>'


def _word(view: View, group: str, name: str | None) -> str:
    return NOTHING if name is None else view.t(f"search.{group}_{name}")
