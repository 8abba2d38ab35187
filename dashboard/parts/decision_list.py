"""Every decision, the newest first: filtered, in pages, each with its story."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import streamlit as st

from dashboard.escaped import plain
from dashboard.parts.explanation import story
from dashboard.view import View, empty, guarded
from dashboard.words import named
from evergreen.contracts.topics import PAYLOADS
from evergreen.core.decision import Outcome
from evergreen.core.severity import Severity

ROWS = 12
COLOURS = {"accepted": "green", "absorbed": "blue", "deferred": "orange", "suppressed": "red", "stale": "violet", "paused": "violet", "ignored": "gray"}
SEVERITIES = {"low": "gray", "medium": "blue", "high": "orange", "critical": "red"}


def decision_list(view: View) -> None:
    t = view.t
    wanted = _filters(view)
    found, place = paged(view, "/decisions", wanted)
    if not found["decisions"]:
        empty(t("decisions.none"), t("decisions.none_hint"))
    for position, one in enumerate(found["decisions"]):
        _row(view, one, f"decision_{position}")
    turn(view, place, found["next_cursor"])


def _filters(view: View) -> dict[str, Any]:
    t = view.t
    models = [*(one["model"] for one in view.api.get("/models")["models"]), "-"]
    columns = st.columns(5)
    with columns[0]:
        model = chosen(t("decisions.filter.model"), models, lambda name: t("decisions.no_model") if name == "-" else name, "decisions_model")
    with columns[1]:
        event_type = chosen(t("decisions.filter.type"), sorted(PAYLOADS), partial(named, t, "names.event"), "decisions_type")
    with columns[2]:
        outcome = chosen(t("decisions.filter.outcome"), [one.value for one in Outcome], partial(named, t, "names.outcome"), "decisions_outcome")
    with columns[3]:
        severity = chosen(t("decisions.filter.severity"), [one.word for one in Severity], partial(named, t, "names.severity"), "decisions_severity")
    with columns[4]:
        day = st.date_input(t("decisions.filter.day"), value=None, key="decisions_day")
    every = st.toggle(t("decisions.filter.every"), key="decisions_every", help=t("decisions.filter.every_help"))
    wanted = {"model": model, "event_type": event_type, "outcome": outcome, "severity": severity, **within(view, day)}
    return wanted if every or outcome else {**wanted, "skip_ignored": True}


def chosen(label: str, options: list[str], words: Any, key: str) -> str | None:
    """One of them, or none: all."""
    picked: str | None = st.selectbox(label, options, index=None, format_func=words, key=key, placeholder="–")
    return picked


def within(view: View, day: Any) -> dict[str, str]:
    """The day as the viewer's zone has it."""
    if not isinstance(day, date):
        return {}
    begins = datetime(day.year, day.month, day.day, tzinfo=view.fmt.zone)
    return {"since": begins.isoformat(), "until": (begins + timedelta(days=1)).isoformat()}


def paged(view: View, path: str, wanted: dict[str, Any]) -> tuple[Any, list[str | None]]:
    """The page one stands on, and the cursors that led there; another filter begins at the newest."""
    key = f"paged_{path}"
    known = st.session_state.get(key)
    if known is None or known["wanted"] != wanted:
        known = st.session_state[key] = {"wanted": wanted, "place": [None]}
    place: list[str | None] = known["place"]
    return view.api.get(path, limit=ROWS, cursor=place[-1], **wanted), place


def turn(view: View, place: list[str | None], following: str | None) -> None:
    """Newer and older. Every page costs the same, wherever it lies."""
    t = view.t
    with st.container(horizontal=True, horizontal_alignment="center", vertical_alignment="center"):
        if st.button(t("decisions.newer"), icon=":material/chevron_left:", disabled=len(place) == 1, key="newer"):
            place.pop()
            st.rerun()
        st.markdown(t("decisions.page", n=len(place)))
        if st.button(t("decisions.older"), icon=":material/chevron_right:", icon_position="right", disabled=not following, key="older"):
            place.append(following)
            st.rerun()


def _row(view: View, one: dict[str, Any], key: str) -> None:
    t = view.t
    model = t("decisions.no_model") if one["model"] == "-" else plain(one["model"])
    answers = " ".join(answer_badge(view, answer) for answer in one["answers"])
    with st.container(border=True):
        what, button = st.columns([6, 1], vertical_alignment="center")
        what.markdown(
            f"**{named(t, 'names.event', one['event_type'])}** · {model} "
            f":{SEVERITIES.get(one['severity'], 'gray')}-badge[{named(t, 'names.severity', one['severity'])}]  \n{answers}"
        )
        what.caption(f"{plain(view.fmt.instant(one['decided_at']))} · {plain(one['rule'])} · {plain(one['model'])}/{one['seq']}")
        explain_button(view, button, "event", one["event_id"], key)


def answer_badge(view: View, answer: dict[str, Any]) -> str:
    """What was to be done, and its fate."""
    action, outcome = named(view.t, "names.action", answer["action"]), named(view.t, "names.outcome", answer["outcome"])
    if answer["action"] == "ignore":
        return f":gray-badge[{action}]"
    by = f" · {named(view.t, 'names.guard', answer['stopped_by'])}" if answer["stopped_by"] else ""
    return f":{COLOURS.get(answer['outcome'], 'gray')}-badge[{action}: {outcome}{by}]"


def explain_button(view: View, place: Any, about: str, name: str, key: str) -> None:
    if place.button(view.t("decisions.explain"), key=f"explain_{key}", icon=":material/help:", type="tertiary"):
        st.dialog(view.t("decisions.explain"), width="large")(partial(guarded, partial(story, about, name), view))()
