"""One user: the picker, the list as it is pushed, and what can be done as this user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

import streamlit as st

from dashboard.api_client import ApiError
from dashboard.escaped import plain
from dashboard.list_reader import Arrived, ListReader
from dashboard.parts import profile
from dashboard.parts.list_changes import DOWN, NEW, UP, changes, reason_in, shown_now
from dashboard.view import View, empty, live, trouble
from evergreen.core.as_of import read_as_of, reflects
from evergreen.core.clock import wall_now

SUGGESTED = 100
K = 10
LOOK_SECONDS = 1.0
_READER, _FIRST, _ACT = "recommendations_reader", "recommendations_first", "recommendations_act"


def show(view: View) -> None:
    user = picked(view)
    if not user:
        empty(view.t("recommendations.pick_one"), view.t("recommendations.pick_hint"))
        return
    reader = follow(view, user)
    if _FIRST not in st.session_state:
        with st.spinner(view.t("recommendations.asking")):
            st.session_state[_FIRST] = list_of(view, user)
    listed, known = st.columns([3, 2], gap="large")
    with listed:
        live(view, partial(live_list, reader=reader), seconds=LOOK_SECONDS)
    with known:
        live(view, partial(profile.show, reader=reader, stamp=lambda: (len(reader.look()), st.session_state.get(_ACT))), seconds=LOOK_SECONDS)
    profile.similar(view, user)


def picked(view: View) -> str:
    """The user whose list is shown; kept in the address."""
    t, asked = view.t, st.query_params.get("user", "")
    known = [one["user_id"] for one in view.api.get("/profiles", limit=SUGGESTED)["users"]]
    options = [*([asked] if asked and asked not in known else []), *known]
    user = st.selectbox(
        t("recommendations.user"),
        options,
        index=options.index(asked) if asked in options else None,
        placeholder=t("recommendations.user_placeholder"),
        accept_new_options=True,
        help=t("recommendations.user_help"),
        key="recommendations_user",
    )
    user = (user or "").strip()
    if user and user != asked:
        st.query_params["user"] = user
    return user


def follow(view: View, user: str) -> ListReader:
    """The view's reader of this user's lists; another user's ends."""
    reader: ListReader | None = st.session_state.get(_READER)
    if reader is None or reader.user != user or reader.state in {"ended", "full"}:
        if reader is not None:
            reader.end()
        for key in (_FIRST, _ACT):
            st.session_state.pop(key, None)
        reader = st.session_state[_READER] = ListReader(view.api, user)
    return reader


def list_of(view: View, user: str) -> Arrived:
    said = view.api.get(f"/recommendations/{quote(user, safe='')}", k=K)
    return Arrived(wall_now(), said)


def live_list(view: View, reader: ListReader) -> None:
    if reader.state == "ended":  # nobody looked for a while, as in a tab in the background: the page begins another
        st.rerun()
    t, arrived = view.t, reader.look()
    now, before = shown_now(st.session_state[_FIRST], arrived)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(t("recommendations.list_title"), anchor=False)
        st.badge(t(f"recommendations.state.{reader.state}"), icon=":material/sensors:", color="green" if reader.state == "open" else "orange")
    _about(view, now, arrived)
    if not now.said["items"]:
        empty(t("recommendations.no_items"))
    news = changes(now.said["items"], before)
    for item in now.said["items"]:
        _row(view, reader.user, now.said, item, news.get(item["item_id"], ""))
    _history(view, arrived)


def _about(view: View, now: Arrived, arrived: Sequence[Arrived]) -> None:
    t, said = view.t, now.said
    st.caption(
        t(
            "recommendations.about",
            version=said["model_version"] or "–",
            at=view.fmt.instant(said["made_at"], "medium"),
            origin=t(f"recommendations.origin.{said['origin']}"),
        )
    )
    for why in said["degraded_reasons"]:
        st.warning(t(f"recommendations.degraded.{why}"), icon=":material/warning:")
    if said["experiment"]:
        st.caption(t("recommendations.in_experiment", experiment=said["experiment"], variant=said["variant"]))
    act = st.session_state.get(_ACT)
    if act is not None:
        _answered(view, act, arrived)


def _answered(view: View, act: Mapping[str, Any], arrived: Sequence[Arrived]) -> None:
    """Whether a list that reflects what was done has come, and how long it took."""
    if "error" in act:
        trouble(view, act["error"])
        return
    came = [one for one in arrived if one.at >= act["at"] and reflects(read_as_of(one.said["as_of"]), read_as_of(act["as_of"]))]
    if came:
        seconds = (came[-1].at - act["acknowledged_at"]).total_seconds()
        st.success(view.t("recommendations.pushed_after", seconds=view.fmt.number(max(seconds, 0.0), 2)), icon=":material/bolt:")
    else:
        st.info(view.t("recommendations.waiting_for_push"), icon=":material/hourglass_top:")


def _row(view: View, user: str, said: Mapping[str, Any], item: Mapping[str, Any], news: str) -> None:
    t, key = view.t, item["item_id"]
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(width="stretch", gap=None):
            badge = f" :{_COLOURS[news]}-badge[{t(f'recommendations.news.{news}')}]" if news else ""
            st.markdown(f"**{item['position']}\\. {plain(item['title'])}**{badge}")
            st.caption(reason_in(t, item["reason"]))
        with st.container(horizontal=True, width="content", wrap=False, gap="small"):
            _button(view, "click", key, {"path": "/clicks", "body": {"user_id": user, "item_id": key, "recommendation_context": context(said, item)}})
            _button(view, "like", key, {"path": "/interactions", "body": {"user_id": user, "interaction_type": "like", "item_ids": [key]}})
            _button(view, "dislike", key, {"path": f"/items/{quote(key, safe='')}/feedback", "body": {"user_id": user, "rating": 1.0}})


def context(said: Mapping[str, Any], item: Mapping[str, Any]) -> dict[str, Any]:
    """Where the click was made, as the list said it."""
    told = {"list_id": said["list_id"], "position": item["position"], "experiment": said["experiment"], "variant": said["variant"]}
    return {name: value for name, value in told.items() if value is not None}


_COLOURS = {NEW: "green", UP: "blue", DOWN: "gray"}
_ICONS = {"click": ":material/play_arrow:", "like": ":material/thumb_up:", "dislike": ":material/thumb_down:"}


def _button(view: View, what: str, item: str, call: Mapping[str, Any]) -> None:
    t = view.t
    st.button(
        t(f"recommendations.act.{what}"),
        key=f"{what}-{item}",
        icon=_ICONS[what],
        help=t(f"recommendations.act_help.{what}"),
        type="tertiary",
        on_click=partial(_do, view, call),
    )


def _do(view: View, call: Mapping[str, Any]) -> None:
    """Before the list is drawn again. What went wrong is said there."""
    begun = wall_now()
    try:
        told = view.api.post(call["path"], call["body"])
        st.session_state[_ACT] = {"at": begun, "acknowledged_at": wall_now(), "as_of": told["as_of"]}
    except ApiError as error:
        st.session_state[_ACT] = {"error": error}


def _history(view: View, arrived: Sequence[Arrived]) -> None:
    t = view.t
    if not arrived:
        st.caption(t("recommendations.nothing_pushed"))
        return
    with st.expander(t("recommendations.pushes", n=len(arrived)), icon=":material/notifications:"):
        rows = []
        for one, older in zip(arrived, [*arrived[1:], None], strict=True):
            before = [] if older is None else [item["item_id"] for item in older.said["items"]]
            new = [item["title"] for item in one.said["items"] if item["item_id"] not in before]
            rows.append({t("recommendations.came_at"): view.fmt.instant(one.at, "medium"), t("recommendations.new_items"): ", ".join(new) if before else "–"})
        st.dataframe(rows, hide_index=True)
