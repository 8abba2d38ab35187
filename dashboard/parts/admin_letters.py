"""Dead letters: which there are, one whole, and back to their topic."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.parts.acting import acted, asked_once, reason_of
from dashboard.view import View, empty

SHOWN = 100
EVERY = ""
Letters = Sequence[Mapping[str, Any]]


def letters(view: View) -> None:
    t = view.t
    with st.container(horizontal=True, vertical_alignment="bottom"):
        waiting = st.toggle(t("admin.letters.waiting"), value=True, help=t("admin.letters.waiting_help"), key="letters_waiting")
        st.button(t("admin.letters.look"), icon=":material/refresh:", key="letters_look")
    with st.spinner(t("admin.letters.reading")):
        found = view.api.get("/dead-letters", limit=SHOWN, waiting=waiting)["letters"]
    if not found:
        empty(t("admin.letters.empty_waiting" if waiting else "admin.letters.empty"), t("admin.letters.empty_hint"))
        return
    picked = _table(view, found)
    left, right = st.columns(2, gap="large")
    with left:
        _one(view, picked)
    with right:
        _all(view, found)


def _table(view: View, found: Letters) -> Mapping[str, Any] | None:
    """The one that is picked."""
    t, fmt = view.t, view.fmt
    rows = [
        {
            "at": fmt.instant(one["at"]),
            "reason": one["reason"],
            "topic": one["source_topic"] or t("admin.letters.unknown"),
            "detail": one["detail"],
            "size": fmt.size(one["size"]),
            "sent": fmt.instant(one["redriven_at"]),
            "id": one["id"],
        }
        for one in found
    ]
    words: dict[str, Any] = {name: st.column_config.TextColumn(t(f"admin.letters.{name}")) for name in rows[0]}
    words["detail"] = st.column_config.TextColumn(t("admin.letters.detail"), width="large")
    chosen = st.dataframe(
        rows,
        hide_index=True,
        column_config=words,
        on_select="rerun",
        selection_mode="single-row",
        height=min(38 + 35 * len(rows), 400),
        key=f"letters-{len(rows)}-{found[0]['id']}",
        alt=t("admin.tab.letters"),
    )
    # Not everybody picks in a table: the same by keyboard.
    ids = [one["id"] for one in found]
    marked = chosen["selection"]["rows"]
    named = st.selectbox(
        t("admin.letters.pick"), ids, index=marked[0] if marked else None, placeholder=t("admin.letters.pick_hint"), key=f"letter-{marked}-{found[0]['id']}"
    )
    return next((one for one in found if one["id"] == named), None)


def _one(view: View, picked: Mapping[str, Any] | None) -> None:
    t = view.t
    st.subheader(t("admin.letters.one"))
    if picked is None:
        st.caption(t("admin.letters.none_picked"))
        return
    whole = view.api.get(f"/dead-letters/{picked['id']}")
    st.text(whole["detail"])
    place = f"{whole['source_topic'] or '?'} [{whole['source_partition'] or '?'}] @ {whole['source_offset'] or '?'}"
    st.caption(t("admin.letters.stood", attempts=whole["attempts"] or "?"))
    st.code(place, language=None)
    if whole["key"] is not None:
        st.text(t("admin.letters.key", text=whole["key"]))
    st.code(whole["value"] if whole["value"] is not None else "null", language="json", wrap_lines=True, height=220)
    if whole["cut"]:
        st.caption(t("admin.letters.cut"))
    if whole["headers"]:
        st.dataframe([{"name": name, "value": value} for name, value in whole["headers"]], hide_index=True, alt=t("admin.letters.headers"))
    _redrive_one(view, whole)


def _redrive_one(view: View, whole: Mapping[str, Any]) -> None:
    t = view.t
    if whole["source_topic"] is None:
        st.info(t("admin.letters.stays"))
        return
    with st.form(f"redrive-{whole['id']}", enter_to_submit=False):
        repair = st.text_input(t("admin.letters.repair"), max_chars=1000, placeholder='{"data.rows": 3}', help=t("admin.letters.repair_help"))
        reason = reason_of(view, f"why-{whole['id']}")
        if st.form_submit_button(t("admin.letters.redrive"), icon=":material/redo:", type="primary"):
            changes = _changes(repair)
            if changes is None:
                st.warning(t("admin.letters.repair_wrong"))
                return
            _send(view, reason, {"ids": [whole["id"]], "why": reason, "changes": changes})


def _all(view: View, found: Letters) -> None:
    t = view.t
    st.subheader(t("admin.letters.all"))
    reasons = sorted({one["reason"] for one in found})
    with st.form("redrive-all", enter_to_submit=False):
        chosen = st.selectbox(t("admin.letters.of_reason"), [EVERY, *reasons], format_func=lambda one: one or t("admin.letters.any"), key="letters_of_reason")
        reason = reason_of(view, "why-all")
        if st.form_submit_button(t("admin.letters.redrive_all"), icon=":material/redo:"):
            _send(view, reason, {"why": reason, "reason": chosen or None})


def _send(view: View, reason: str, asked: Mapping[str, Any]) -> None:
    answer = acted(view, reason, lambda: asked_once(view, "redrive", "/dead-letters/redrive", asked), "admin.letters.done")
    if answer is None:
        return
    sent, stayed = len(answer["sent"]), len(answer["stayed"])
    st.success(view.t("admin.letters.sent_back", sent=view.fmt.number(sent), stayed=view.fmt.number(stayed)), icon=":material/check:")
    if answer["failed"]:
        st.error(view.t("admin.letters.failed"))
        st.text(answer["failed"])


def _changes(text: str) -> dict[str, Any] | None:
    """None for what is no JSON object."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
