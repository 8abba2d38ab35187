"""Every decision, the newest first: filtered, in pages, each with its story."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import streamlit as st

from dashboard.escaped import plain
from dashboard.formats import parsed
from dashboard.told import rule_words
from dashboard.view import View, empty, guarded, live
from dashboard.words import named
from evergreen.contracts.topics import PAYLOADS
from evergreen.core.decision import Outcome
from evergreen.core.severity import Severity

ROWS = 12
SECONDS = 3.0
ASKED = "decisions_asked"
"""Of the session: whose story is to be told."""
EARLIEST = date(1970, 1, 1)
"""Left to itself the calendar begins ten years ago by wall time, which a replay knows nothing of."""
Row = Callable[[View, dict[str, Any], int], None]
COLOURS = {"accepted": "green", "absorbed": "blue", "deferred": "orange", "suppressed": "red", "stale": "violet", "paused": "violet", "ignored": "gray"}
SEVERITIES = {"low": "gray", "medium": "blue", "high": "orange", "critical": "red"}


def decision_list(view: View) -> None:
    t = view.t
    listed(view, "/decisions", _filters(view), _row, t("decisions.none"))


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
        day = day_of(view, "decisions_day")
    every = st.toggle(t("decisions.filter.every"), key="decisions_every", help=t("decisions.filter.every_help"))
    wanted = {"model": model, "event_type": event_type, "outcome": outcome, "severity": severity, **within(view, day)}
    return wanted if every or outcome else {**wanted, "skip_ignored": True}


def chosen(label: str, options: list[str], words: Any, key: str) -> str | None:
    """One of them, or none: all."""
    picked: str | None = st.selectbox(label, options, index=None, format_func=words, key=key, placeholder="–")
    return picked


def day_of(view: View, key: str) -> Any:
    """A day, or none. No later one than today by platform time, or the last that something was decided on."""
    found = view.api.get("/overview")
    known = [found["clock"] and found["clock"]["now"], found["decision"] and found["decision"]["decided_at"]]
    days = [parsed(one).astimezone(view.fmt.zone).date() for one in known if one]
    return st.date_input(view.t("decisions.filter.day"), value=None, min_value=EARLIEST, max_value=max(days) if days else "today", key=key, format="YYYY-MM-DD")


def within(view: View, day: Any) -> dict[str, str]:
    """The day as the viewer's zone has it."""
    if not isinstance(day, date):
        return {}
    begins = datetime(day.year, day.month, day.day, tzinfo=view.fmt.zone)
    return {"since": begins.isoformat(), "until": (begins + timedelta(days=1)).isoformat()}


def listed(view: View, path: str, wanted: dict[str, Any], row: Row, none: str) -> None:
    """A page of records. The newest one looks again by itself: what happens is there within seconds."""
    place = place_in(path, wanted)
    part = partial(_page, path, wanted, place, row, none)
    if len(place) == 1:
        live(view, part, seconds=SECONDS)
    else:
        guarded(part, view)


def _page(path: str, wanted: dict[str, Any], place: list[str | None], row: Row, none: str, view: View) -> None:
    found = view.api.get(path, limit=ROWS, cursor=place[-1], **wanted)
    rows = found[path.removeprefix("/")]
    if not rows:
        empty(none, view.t("decisions.none_hint"))
    for position, one in enumerate(rows):
        row(view, one, position)
    turn(view, place, found["next_cursor"])


def place_in(path: str, wanted: dict[str, Any]) -> list[str | None]:
    """The cursors that led to the page one stands on; another filter begins at the newest."""
    key = f"paged_{path}"
    known = st.session_state.get(key)
    if known is None or known["wanted"] != wanted:
        known = st.session_state[key] = {"wanted": wanted, "place": [None]}
    place: list[str | None] = known["place"]
    return place


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


def _row(view: View, one: dict[str, Any], position: int) -> None:
    t = view.t
    model = t("decisions.no_model") if one["model"] == "-" else plain(one["model"])
    answers = " ".join(answer_badge(view, answer) for answer in one["answers"])
    with st.container(border=True):
        what, button = st.columns([6, 1], vertical_alignment="center")
        what.markdown(
            f"**{named(t, 'names.event', one['event_type'])}** · {model} "
            f":{SEVERITIES.get(one['severity'], 'gray')}-badge[{named(t, 'names.severity', one['severity'])}]  \n{answers}"
        )
        what.caption(f"{plain(view.fmt.instant(one['decided_at']))} · {plain(rule_words(t, one['rule']))} · {plain(one['model'])}/{one['seq']}")
        explain_button(view, button, one["event_id"], f"decision_{position}")


def answer_badge(view: View, answer: dict[str, Any]) -> str:
    """What was to be done, and its fate."""
    action, outcome = named(view.t, "names.action", answer["action"]), named(view.t, "names.outcome", answer["outcome"])
    if answer["action"] == "ignore":
        return f":gray-badge[{action}]"
    by = f" · {named(view.t, 'names.guard', answer['stopped_by'])}" if answer["stopped_by"] else ""
    return f":{COLOURS.get(answer['outcome'], 'gray')}-badge[{action}: {outcome}{by}]"


def explain_button(view: View, place: Any, event_id: str, key: str) -> None:
    if place.button(view.t("decisions.explain"), key=f"explain_{key}", icon=":material/help:", type="tertiary"):
        st.session_state[ASKED] = ("event", event_id)  # the page tells it: a part that looks again by itself would take it away
        st.rerun()
