"""Who serves a model, and who served when."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.charts.models import service_timeline
from dashboard.escaped import plain
from dashboard.told import reason_words
from dashboard.view import View, empty, show_figure


def serving_now(view: View, model: dict[str, Any]) -> None:
    t, fmt = view.t, view.fmt
    if model["version"] is None:
        empty(t("models.no_champion"), t("models.no_champion_hint"))
        return
    answering = sum(version == model["version"] for version in model["workers"].values())
    with st.container(border=True):
        first, second, third, fourth = st.columns(4)
        first.metric(t("models.champion"), f"@{model['version'].rpartition('@')[2]}", help=plain(model["version"]))
        second.metric(t("models.bake"), t("models.stable") if model["stable"] else t("models.in_bake"))
        third.metric(t("models.workers"), f"{answering} / {len(model['workers'])}", help=t("models.workers_help"))
        fourth.metric(t("models.epoch"), fmt.number(model["epoch"]), help=t("models.epoch_help"))
        st.caption(t("models.since", at=plain(fmt.instant(model["since"])), version=plain(model["version"])))


def timeline(view: View, model: str) -> None:
    st.subheader(view.t("models.timeline"))
    deployments = view.api.get(f"/models/{model}/history", limit=50)["deployments"]
    if not any(one["served_from"] for one in deployments):
        empty(view.t("models.never_served"))
        return
    show_figure(service_timeline(deployments, view.t, view.fmt), alt=view.t("models.timeline_alt"), key="models_timeline")
    with st.expander(view.t("models.deployments")):
        st.dataframe([_deployment(view, one) for one in deployments], hide_index=True)


def _deployment(view: View, one: dict[str, Any]) -> dict[str, str]:
    t, fmt = view.t, view.fmt
    kind = t(f"models.kind.{one['kind']}") + (f" ({t('models.forced')})" if one["forced"] else "")
    return {
        t("models.column.version"): one["version"],
        t("models.column.kind"): kind,
        t("models.column.state"): t(f"models.deployment.{one['status']}"),
        t("models.column.from"): fmt.instant(one["served_from"], "short"),
        t("models.column.to"): fmt.instant(one["served_to"], "short"),
        t("models.column.why"): " – ".join(reason_words(t, fmt, said) for said in (one["reason"], one["error"]) if said is not None),
    }
