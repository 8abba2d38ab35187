"""What is known of a user, and who and what is alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

import streamlit as st

from dashboard.charts.recommendations import preferences
from dashboard.list_reader import ListReader
from dashboard.parts.options import told_apart
from dashboard.view import View, empty, guarded, show_figure
from dashboard.words import named

_KEPT = "recommendations_profile"
SIMILAR = 10
SHOWN = 20


def show(view: View, reader: ListReader, stamp: Callable[[], object]) -> None:
    """Asked for again when `stamp` has changed: something came, or something was done."""
    now = (reader.user, stamp())
    kept: tuple[object, Mapping[str, Any]] | None = st.session_state.get(_KEPT)
    if kept is None or kept[0] != now:
        kept = st.session_state[_KEPT] = (now, view.api.get(f"/profiles/{quote(reader.user, safe='')}"))
    _profile(view, kept[1])


def _profile(view: View, said: Mapping[str, Any]) -> None:
    t, fmt = view.t, view.fmt
    st.subheader(t("recommendations.profile_title"), anchor=False)
    if said["rebuilding"]:
        st.warning(t("recommendations.degraded.profile_rebuilding"), icon=":material/warning:")
    with st.container(horizontal=True, gap="medium"):
        for name, number in (("interactions", said["interactions"]), ("rated", said["rated"]), ("boosted", len(said["boosts"]))):
            st.metric(t(f"recommendations.{name}"), fmt.number(number), width="content")
    if not said["interactions"] and not said["history"]:
        empty(t("recommendations.unknown_user"), t("recommendations.unknown_hint"))
        return
    if said["counts"]:
        st.caption(
            " · ".join(f"{named(t, 'recommendations.kind', kind)} {fmt.number(n)}" for kind, n in sorted(said["counts"].items(), key=lambda one: -one[1]))
        )
    if said["preferences"]:
        st.markdown(f"**{t('recommendations.preferences_title')}**")
        figure = preferences(said["preferences"], axis=t("recommendations.preference_axis"))
        show_figure(figure, key="preferences", alt=t("recommendations.preferences_alt"))
    _tables(view, said)


def _tables(view: View, said: Mapping[str, Any]) -> None:
    t, fmt = view.t, view.fmt
    what, title, at = t("recommendations.column.what"), t("recommendations.column.title"), t("recommendations.column.at")
    activity = [
        {what: named(t, "recommendations.kind", one["kind"]), title: _titles(one["items"]), at: fmt.instant(one["at"], "short")}
        for one in said["activity"][:SHOWN]
    ]
    with st.expander(t("recommendations.activity_title", n=len(said["activity"])), icon=":material/timeline:", expanded=True):
        _table(activity, t("recommendations.no_activity"))
    history = [
        {title: one["title"], what: named(t, "recommendations.kind", one["kind"]), at: fmt.instant(one["at"], "short")} for one in said["history"][:SHOWN]
    ]
    with st.expander(t("recommendations.history_title", n=len(said["history"])), icon=":material/history:"):
        _table(history, t("recommendations.no_history"))
    cause, factor, until = t("recommendations.column.cause"), t("recommendations.column.factor"), t("recommendations.column.until")
    boosts = [
        {
            title: one["title"],
            cause: t(f"recommendations.cause.{one['cause']}"),
            factor: f"× {fmt.number(one['factor'], 1)}",
            until: fmt.instant(one["until"], "short"),
        }
        for one in said["boosts"][:SHOWN]
    ]
    with st.expander(t("recommendations.boosts_title", n=len(said["boosts"])), icon=":material/trending_up:"):
        _table(boosts, t("recommendations.no_boosts"))


def _table(rows: Sequence[Mapping[str, Any]], nothing: str) -> None:
    if rows:
        st.dataframe(rows, hide_index=True)
    else:
        st.caption(nothing)


def _titles(items: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(item["title"] for item in items)


def similar(view: View, user: str) -> None:
    st.divider()
    users, items = st.columns(2, gap="large")
    with users:
        st.subheader(view.t("recommendations.similar_users_title"), anchor=False)
        guarded(partial(_similar_users, user=user), view)
    with items:
        st.subheader(view.t("recommendations.similar_items_title"), anchor=False)
        guarded(_similar_items, view)


def _similar_users(view: View, user: str) -> None:
    t = view.t
    said = view.api.get(f"/profiles/{quote(user, safe='')}/similar", limit=SIMILAR)
    if not said["users"]:
        empty(t("recommendations.no_similar_users"), t("recommendations.similar_users_hint", n=view.fmt.number(said["compared_with"])))
        return
    st.caption(t("recommendations.similar_users_hint", n=view.fmt.number(said["compared_with"])))
    rows = [{t("recommendations.column.user"): one["user_id"], t("recommendations.column.similarity"): one["similarity"]} for one in said["users"]]
    st.dataframe(rows, hide_index=True, column_config={t("recommendations.column.similarity"): _bar()})


def _similar_items(view: View) -> None:
    t = view.t
    text = st.text_input(t("recommendations.find_item"), placeholder=t("recommendations.find_item_placeholder"), max_chars=100, key="recommendations_item_text")
    found = view.api.get("/items", q=text.strip() or None, limit=50)["items"]
    if not found:
        empty(t("recommendations.no_such_item"))
        return
    titles = told_apart({one["item_id"]: one["title"] for one in found})
    item = st.selectbox(t("recommendations.item"), list(titles), format_func=titles.__getitem__, key="recommendations_item")
    said = view.api.get(f"/items/{quote(item, safe='')}/similar", limit=SIMILAR)
    st.caption(t("recommendations.similar_items_hint"))
    rows = [
        {
            t("recommendations.column.title"): one["title"],
            t("recommendations.column.similarity"): one["similarity"],
            t("recommendations.column.genres"): ", ".join(one["genres"]),
        }
        for one in said["items"]
    ]
    if not rows:
        empty(t("recommendations.no_similar_items"))
        return
    widths = {t("recommendations.column.title"): st.column_config.TextColumn(width="medium"), t("recommendations.column.similarity"): _bar()}
    st.dataframe(rows, hide_index=True, column_config=widths)


def _bar() -> Any:
    return st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format="%.2f", width="small")
