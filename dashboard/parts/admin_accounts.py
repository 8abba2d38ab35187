"""Accounts and tokens: who may sign in, and what was changed by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.parts.acting import acted, asked_once, reason_of
from dashboard.view import View, empty
from dashboard.words import named
from evergreen.core.access import Role

SECRET = "admin_secret"  # noqa: S105 - where the answer that holds one waits for one view
REVOKED = ("token_revoked", "tokens_revoked")
ROLES = {"person": (Role.VIEWER, Role.ANALYST, Role.OPERATOR, Role.USER), "client": (Role.SERVICE, Role.VIEWER)}


def accounts(view: View) -> None:
    t, found = view.t, view.api.get("/accounts")
    _secret(view)
    _table(view, found["accounts"])
    left, right = st.columns(2, gap="large")
    with left:
        _change(view, found["accounts"])
    with right:
        _add(view)
        _tokens(view, found["changes"])
    st.subheader(t("admin.changes.title"))
    _changes(view, found["changes"], t("admin.changes.empty"), t("admin.changes.title"))


def _secret(view: View) -> None:
    """Shown once: it leaves the session with the view that shows it."""
    made = st.session_state.pop(SECRET, None)
    if made is None:
        return
    with st.container(border=True):
        st.markdown(f":material/key: **{view.t('admin.accounts.secret')}**")
        st.text(made["name"])
        st.code(made["secret"], language=None)
        st.caption(view.t("admin.accounts.secret_once"))


def _table(view: View, found: Sequence[Mapping[str, Any]]) -> None:
    t = view.t
    rows = [
        {
            "name": one["name"],
            "kind": t(f"admin.kind.{one['kind']}"),
            "roles": ", ".join(t(f"admin.role.{role}") for role in one["roles"]),
            "state": t("admin.accounts.disabled", at=view.fmt.instant(one["disabled_at"])) if one["disabled_at"] else t("admin.accounts.active"),
        }
        for one in found
    ]
    words = {name: st.column_config.TextColumn(t(f"admin.accounts.{name}")) for name in ("name", "kind", "roles", "state")}
    st.dataframe(rows, hide_index=True, column_config=words, height=min(38 + 35 * max(1, len(rows)), 400), alt=t("admin.tab.accounts"))


def _change(view: View, found: Sequence[Mapping[str, Any]]) -> None:
    t = view.t
    st.subheader(t("admin.accounts.change"))
    with st.form("account_change", enter_to_submit=False):
        name = st.selectbox(t("admin.accounts.name"), [one["name"] for one in found], key="account_changed")
        what = st.selectbox(
            t("admin.accounts.what"),
            ("password", "disable", "enable", "revoke_tokens"),
            format_func=lambda one: t(f"admin.accounts.do.{one}"),
            key="account_change_what",
        )
        reason = reason_of(view, "why-change")
        if not st.form_submit_button(t("admin.accounts.do_it"), icon=":material/manage_accounts:", type="primary"):
            return
        if what == "password":
            wanted = {"name": name, "reason": reason}
            made = acted(view, reason, lambda: asked_once(view, "account_secret", "/accounts/secret", wanted), "admin.accounts.changed")
            if made is not None:
                st.session_state[SECRET] = made
        else:
            asked = {"name": name, "change": what, "reason": reason}
            made = acted(view, reason, lambda: view.api.post("/accounts/change", asked), "admin.accounts.changed")
        if made is not None:
            st.rerun()


def _add(view: View) -> None:
    t = view.t
    st.subheader(t("admin.accounts.add"))
    kind = st.segmented_control(t("admin.accounts.kind"), tuple(ROLES), default="person", format_func=lambda one: t(f"admin.kind.{one}"), key="new_kind")
    with st.form("account_add", enter_to_submit=False):
        name = st.text_input(t("admin.accounts.new_name"), max_chars=256)
        roles = st.multiselect(
            t("admin.accounts.roles"),
            ROLES[kind or "person"],
            format_func=lambda one: t(f"admin.role.{one}"),
            placeholder=t("admin.accounts.choose"),
            key="account_roles",
        )
        reason = reason_of(view, "why-add")
        if st.form_submit_button(t("admin.accounts.add_it"), icon=":material/person_add:"):
            if not name.strip() or not roles:
                st.warning(t("admin.accounts.incomplete"))
                return
            asked = {"name": name.strip(), "kind": kind or "person", "roles": roles, "reason": reason}
            made = acted(view, reason, lambda: asked_once(view, "account_add", "/accounts", asked), "admin.accounts.changed")
            if made is not None:
                st.session_state[SECRET] = made
                st.rerun()


def _tokens(view: View, changes: Sequence[Mapping[str, Any]]) -> None:
    """Serving keeps no list of the tokens it gave out: those that were revoked are what can be told."""
    t = view.t
    with st.expander(t("admin.tokens.title"), icon=":material/token:"):
        _revoke_token(view)
        st.markdown(f"**{t('admin.tokens.list')}**")
        _changes(view, [one for one in changes if one["what"] in REVOKED], t("admin.tokens.none"), t("admin.tokens.list"))
        st.caption(t("admin.tokens.about"))


def _revoke_token(view: View) -> None:
    t = view.t
    with st.form("token", enter_to_submit=False, border=False):
        token = st.text_input(t("admin.tokens.id"), max_chars=64, help=t("admin.tokens.help"))
        reason = reason_of(view, "why-token")
        if st.form_submit_button(t("admin.tokens.revoke"), icon=":material/block:"):
            if not token.strip():
                st.warning(t("admin.tokens.missing"))
                return
            asked = {"id": token.strip(), "reason": reason}
            if acted(view, reason, lambda: view.api.post("/tokens/revoke", asked), "admin.tokens.revoked") is not None:
                st.rerun()


def _changes(view: View, found: Sequence[Mapping[str, Any]], none: str, title: str) -> None:
    t, fmt = view.t, view.fmt
    if not found:
        empty(none)
        return
    rows = [
        {"at": fmt.instant(one["at"]), "what": named(t, "admin.changed", one["what"]), "subject": one["subject"], "who": one["who"], "reason": one["reason"]}
        for one in found
    ]
    words = {name: st.column_config.TextColumn(t(f"admin.changes.{name}")) for name in rows[0]}
    st.dataframe(rows, hide_index=True, column_config=words, height=min(38 + 35 * len(rows), 360), alt=title)
