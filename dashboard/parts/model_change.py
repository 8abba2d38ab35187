"""Changing who serves: the dialogs that ask for it, and what becomes of it, live."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

import streamlit as st

from dashboard.api_client import ApiError
from dashboard.escaped import plain
from dashboard.parts.model_version import state_of
from dashboard.told import reason_words, told
from dashboard.view import View, guarded, live
from dashboard.words import named

FOLLOWED = "models_followed"
"""Of the session: the change that is looked at."""
OVER = ("succeeded", "failed", "cancelled")
SECONDS = 1.0


def change_buttons(view: View, model: dict[str, Any], versions: list[dict[str, Any]]) -> None:
    t = view.t
    others = [one for one in versions if not one["champion"] and not one["quarantined"]]
    with st.container(horizontal=True):
        if st.button(t("models.promote"), icon=":material/upgrade:", disabled=not others, help=None if others else t("models.nothing_to_promote")):
            _open(view, t("models.promote"), partial(promotion, others))
        if st.button(t("models.roll_back"), icon=":material/undo:", disabled=model["version"] is None):
            _open(view, t("models.roll_back"), partial(going_back, model, others))


def _open(view: View, title: str, body: Any) -> None:
    st.session_state.pop("models_key", None)
    st.dialog(title, width="medium")(lambda: guarded(body, view, again=False))()


def promotion(others: list[dict[str, Any]], view: View) -> None:
    t = view.t
    version = st.selectbox(t("models.version"), others, format_func=lambda one: f"{one['version']} · {state_of(view, one)}", key="models_to_promote")
    name = str(version["version"])
    path = f"/models/{name.rpartition('@')[0]}/promote"
    found = view.api.get(path, version=name)
    forced = found["outcome"] == "refused" and st.checkbox(t("models.overrule"), key=f"models_force_{name}", help=t("models.overrule_help"))
    if forced:
        found = view.api.get(path, version=name, forced=True)
    _confirm(view, path, {"version": name, "forced": forced}, found, t("models.promote_confirm", version=name))


def going_back(model: dict[str, Any], others: list[dict[str, Any]], view: View) -> None:
    t = view.t
    newest = {"version": None}
    to = st.selectbox(
        t("models.back_to"),
        [newest, *(one for one in others if one["stable"])],
        format_func=lambda one: t("models.newest_stable") if one["version"] is None else f"{one['version']} · {state_of(view, one)}",
        key="models_back_to",
    )["version"]
    path = f"/models/{model['model']}/rollback"
    found = view.api.get(path, to=to)
    st.warning(t("models.quarantine_warning", version=plain(str(model["version"]))), icon=":material/warning:")
    _confirm(view, path, {"to": to}, found, t("models.roll_back_confirm", version=found["target"] or ""))


def _confirm(view: View, path: str, body: dict[str, Any], found: dict[str, Any], label: str) -> None:
    t = view.t
    _preview(view, found)
    reason = st.text_area(t("models.reason"), max_chars=500, key="models_reason", help=t("models.reason_help"))
    possible = found["outcome"] in ("would_change", "would_wait")
    if not st.button(label, type="primary", disabled=not possible, icon=":material/check:"):
        return
    if not reason.strip():
        st.error(t("models.reason_missing"))
        return
    key = st.session_state.setdefault("models_key", str(uuid4()))  # of this dialog: pressed twice, it is one action
    try:
        asked = view.api.post(path, {**body, "reason": reason.strip()}, headers={"Idempotency-Key": key})
    except ApiError as error:
        if error.status != 409:
            raise
        st.error(t("models.refused_now", why=plain(error.detail)))
        return
    st.session_state[FOLLOWED] = {"id": asked["action_id"], "model": found["model"], "over": False}
    st.rerun()


def _preview(view: View, found: dict[str, Any]) -> None:
    """What it would do now, check by check; who serves may change until it is carried out."""
    t = view.t
    facts = {"now": plain(found["champion"] or t("models.nobody")), "then": plain(found["target"] or "–")}
    if found["outcome"] == "refused":
        st.error(t("models.would_refuse", why=plain(told(t, view.fmt, "check", found["reason"]))), icon=":material/block:")
    elif found["outcome"] == "nothing_to_do":
        st.info(t("models.would_nothing", why=plain(told(t, view.fmt, "check", found["reason"]))), icon=":material/info:")
    else:
        st.markdown(t("models.would_change", **facts))
    failed = [gate for gate in found["gates"] if not gate["passed"]]
    lines = [
        f"{_mark(check['passed'])} **{named(t, 'models.check', check['name'].replace(' ', '_'))}** {plain(told(t, view.fmt, 'check', check['detail']))}"
        for check in found["checks"]
    ]
    lines += [f"{_mark(passed=False)} **{named(t, 'models.gate', gate['name'])}** {plain(told(t, view.fmt, 'gate', gate['detail']))}" for gate in failed]
    if found["gates"] and not failed:
        lines.append(f"{_mark(passed=True)} {t('models.all_gates', n=len(found['gates']))}")
    st.markdown("\n".join(f"- {line}" for line in lines))


def _mark(passed: bool) -> str:
    return ":green[:material/check_circle:]" if passed else ":red[:material/cancel:]"


def change_progress(view: View, model: str) -> None:
    followed = st.session_state.get(FOLLOWED)
    if followed is None or followed["model"] != model:
        return
    part = partial(_progress, followed)
    if followed["over"]:
        guarded(part, view)
        if st.button(view.t("models.close"), icon=":material/close:"):
            del st.session_state[FOLLOWED]
            st.rerun()
    else:
        live(view, part, seconds=SECONDS)


def _progress(followed: dict[str, Any], view: View) -> None:
    t = view.t
    action = view.api.get(f"/actions/{followed['id']}/explain")["actions"][0]
    status = action["status"]
    with st.container(border=True, key="models_progress"):
        colour = {"succeeded": "green", "failed": "red", "cancelled": "gray"}.get(status, "blue")
        about = f"{named(t, 'names.action', action['kind'])} · {plain(action['target'])}"
        st.markdown(f"**{about}** :{colour}-badge[{named(t, 'names.status', status)}]")
        st.markdown("\n".join(f"{place}. {line}" for place, line in enumerate(_steps(view, action), 1)))
        if action["error"]:
            st.error(t("models.change_failed", why=plain(reason_words(t, view.fmt, action["error"]))))
        st.html(f'<a class="eg-link" href="/decisions?action={action["id"]}&lang={view.language}" target="_self">{t("models.explain")}</a>')
    if status in OVER and not followed["over"]:
        followed["over"] = True
        st.rerun()


def _steps(view: View, action: dict[str, Any]) -> list[str]:
    t, fmt = view.t, view.fmt
    lines = [t("models.step.asked", who=plain(str(action["params"].get("requested_by", ""))), why=plain(str(action["params"].get("reason", ""))))]
    lines += [t("models.step.approval", answer=named(t, "models.answer", one["answer"] or "waits")) for one in action["approvals"]]
    if action["claimed_at"]:
        lines.append(t("models.step.claimed", at=fmt.instant(action["claimed_at"])))
    for one in action["deployments"]:
        told = {phase: sorted({ack["worker"] for ack in one["confirmations"] if ack["phase"] == phase}) for phase in ("prepared", "serving")}
        version = plain(one["version"])
        lines.append(t("models.step.prepared", n=len({*told["prepared"], *told["serving"]}), version=version))
        if one["served_from"]:
            lines.append(t("models.step.flipped", version=version, epoch=one["epoch"], at=fmt.instant(one["served_from"])))
            lines.append(t("models.step.serving", n=len(told["serving"]), of=max(len(one["workers"]), len(told["serving"]))))
    if action["status"] == "succeeded":
        lines.append(t("models.step.done", at=fmt.instant(action["finished_at"])))
    return lines
