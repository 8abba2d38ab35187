"""Models: versions and their verdicts, who served when, what retrains were worth; and changing who serves."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.charts.models import held_out_errors, retrain_worth, service_timeline
from dashboard.escaped import plain
from dashboard.parts.model_change import change_buttons, change_progress
from dashboard.parts.model_version import one_version, versions_table
from dashboard.view import View, empty
from evergreen.core.access import Need

BARE = {"displayModeBar": False}


def page(view: View) -> None:
    st.title(view.t("models.title"))
    models = view.api.get("/models")["models"]
    if not models:
        empty(view.t("models.none"), view.t("models.none_hint"))
        return
    model = _picked(view, models)
    name = str(model["model"])
    versions = view.api.get(f"/models/{name}/versions", limit=100)["versions"]
    _serving(view, model)
    if view.may(Need.ACT):
        change_buttons(view, model, versions)
    change_progress(view, name)
    if not versions:
        empty(view.t("models.no_version"), view.t("models.no_version_hint"))
        return
    _timeline(view, name)
    _versions(view, versions)
    one_version(view, name, versions)
    _ledger(view, name)


def _picked(view: View, models: list[dict[str, Any]]) -> dict[str, Any]:
    """By the address (`?model=`) at first; the address follows."""
    names = [one["model"] for one in models]
    asked = st.query_params.get("model")
    picked = st.segmented_control(
        view.t("models.model"), names, default=asked if asked in names else names[0], key="models_model", required=True, label_visibility="collapsed"
    )
    st.query_params["model"] = picked
    return next(one for one in models if one["model"] == picked)


def _serving(view: View, model: dict[str, Any]) -> None:
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


def _timeline(view: View, model: str) -> None:
    st.subheader(view.t("models.timeline"))
    deployments = view.api.get(f"/models/{model}/history", limit=50)["deployments"]
    if not any(one["served_from"] for one in deployments):
        empty(view.t("models.never_served"))
        return
    st.plotly_chart(service_timeline(deployments, view.t, view.fmt.zone), config=BARE, alt=view.t("models.timeline_alt"), key="models_timeline")
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
        t("models.column.why"): one["reason"] if one["error"] is None else f"{one['reason']} – {one['error']}",
    }


def _versions(view: View, versions: list[dict[str, Any]]) -> None:
    st.subheader(view.t("models.versions"))
    st.plotly_chart(held_out_errors(versions, view.t), config=BARE, alt=view.t("models.errors_alt"), key="models_errors")
    st.caption(view.t("models.interval_note"))
    versions_table(view, versions)


def _ledger(view: View, model: str) -> None:
    t, fmt = view.t, view.fmt
    st.subheader(t("models.ledger"))
    found = view.api.get(f"/models/{model}/ledger")
    totals = found["totals"]
    columns = st.columns(4)
    columns[0].metric(t("models.retrains"), fmt.number(totals["retrains"]), help=t("models.retrains_help", **totals))
    columns[1].metric(t("models.cost"), t("models.seconds", n=fmt.number(totals["cost_seconds"], 1)))
    columns[2].metric(t("models.promised_mean"), fmt.share(totals["mean_promised"]), help=t("models.compared_help", n=totals["compared"]))
    columns[3].metric(t("models.realised_mean"), fmt.share(totals["mean_realised"]), help=t("models.compared_help", n=totals["compared"]))
    st.plotly_chart(retrain_worth(found["entries"], t), config=BARE, alt=t("models.ledger_alt"), key="models_ledger")
    st.caption(t("models.ledger_note"))
    with st.expander(t("models.ledger_rows")):
        st.dataframe([_worth(view, one) for one in reversed(found["entries"])], hide_index=True)


def _worth(view: View, one: dict[str, Any]) -> dict[str, str]:
    t, fmt = view.t, view.fmt
    return {
        t("models.column.version"): one["version"],
        t("models.column.cause"): one["cause"],
        t("models.column.cost"): t("models.seconds", n=fmt.number(one["cost_seconds"], 1)),
        t("models.promised"): with_interval(view, one["promised"], one["promised_interval"]),
        t("models.realised"): with_interval(view, one["realised"], one["realised_interval"]),
        t("models.column.rows"): fmt.number(one["rows"]),
        t("models.column.outcome"): one["outcome"],
    }


def with_interval(view: View, point: float | None, interval: list[float] | None) -> str:
    """-9.9% [-16.0%, -3.3%]"""
    if point is None or interval is None:
        return view.fmt.share(point)
    return f"{view.fmt.share(point)} [{view.fmt.share(interval[0])}, {view.fmt.share(interval[1])}]"
