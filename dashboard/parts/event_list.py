"""Every event, decided on or not, the newest first."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from dashboard.escaped import plain
from dashboard.parts.decision_list import chosen, day_of, explain_button, listed, within
from dashboard.told import reason_words
from dashboard.view import View
from dashboard.words import named
from evergreen.contracts.topics import PAYLOADS

SHOWN = 160


def event_list(view: View) -> None:
    t = view.t
    columns = st.columns(3)
    with columns[0]:
        event_type = chosen(t("decisions.filter.type"), sorted(PAYLOADS), partial(named, t, "names.event"), "events_type")
    with columns[1]:
        subject = st.text_input(t("decisions.filter.subject"), key="events_subject", max_chars=256, help=t("decisions.filter.subject_help")) or None
    with columns[2]:
        day = day_of(view, "events_day")
    listed(view, "/events", {"type": event_type, "subject": subject, **within(view, day)}, _row, t("decisions.no_events"))


def _row(view: View, one: dict[str, Any], position: int) -> None:
    with st.container(border=True):
        what, button = st.columns([6, 1], vertical_alignment="center")
        what.markdown(f"**{named(view.t, 'names.event', one['type'])}** · {plain(one['subject'])}")
        what.caption(f"{plain(view.fmt.instant(one['time']))} · {plain(one['source'])}  \n{plain(gist(view, one['data']))}")
        explain_button(view, button, one["id"], f"event_{position}")


def gist(view: View, data: dict[str, Any]) -> str:
    """The payload in a line: what is one word or number. The whole of it is in its story."""
    t = view.t
    said = {name: value for name, value in data.items() if value is not None and not isinstance(value, dict | list)}
    text = " · ".join(f"{named(t, 'names.field', name)}: {_value(view, value)}" for name, value in said.items())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _value(view: View, value: str | float | bool) -> str:
    if isinstance(value, bool):
        return view.t("decisions.yes" if value else "decisions.no")
    return reason_words(view.t, view.fmt, value) if isinstance(value, str) else view.fmt.number(value, 0 if float(value).is_integer() else 3)
