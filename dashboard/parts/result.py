"""What the model says of one video: its card, its place on its category's curves, what mattered, what if."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import streamlit as st
from babel.dates import get_day_names

from dashboard.api_client import ApiError
from dashboard.charts.comparison import effects
from dashboard.charts.spread import Labels, Mark, cumulative, density, share_above
from dashboard.parts.figures import bloom, figures
from dashboard.parts.together import begin
from dashboard.parts.what_if import what_if
from dashboard.told import feature_words
from dashboard.view import View, empty, show_figure
from dashboard.words import named

_KEPT = "search.result"
_TITLE = "font-size:1.05rem;font-weight:600;line-height:1.35;overflow-wrap:anywhere"
MOST_EFFECTS = 8


@dataclass(frozen=True)
class Result:
    video_id: str
    seen: str
    """In the words of the API."""
    prediction: Mapping[str, Any] | None = None
    """None: nothing is known of the video."""
    video: Mapping[str, Any] | None = None
    explained: Mapping[str, Any] | None = None
    spread: Mapping[str, Any] | None = None


def result(view: View, names: Mapping[int, str], video_id: str, *, narrow: bool, fresh: bool) -> Result:
    """Shows it, and says what was found."""
    kept: Result | None = st.session_state.get(_KEPT)
    if fresh or kept is None or kept.video_id != video_id:
        with st.spinner(view.t("search.asking")):
            kept = st.session_state[_KEPT] = ask(view, video_id)
    bloom(view, kept.seen)
    if kept.prediction is None:
        empty(view.t("search.unknown_video"), view.t("search.unknown_video_hint"))
        return kept
    if kept.video is not None:
        _heading(view, names, kept.video)
    figures(view, kept.prediction)
    if kept.spread is not None and kept.explained is not None and kept.spread["n"]:
        _place(view, names, kept, narrow=narrow)
    if kept.explained is not None:
        _mattered(view, names, kept.explained)
    _made_by(view, kept.prediction)
    if kept.video is not None and kept.video["features"] and kept.explained is not None:
        what_if(view, names, kept.video, kept.explained, kept.spread)
    return kept


def ask(view: View, video_id: str) -> Result:
    """Raises ApiError: of a video that is not known only what the seen index says."""
    api, body = view.api, {"video_id": video_id}
    predicted, explained = begin(api.post, "/predict/video", body), begin(api.post, "/predict/video/explanation", body)
    shown = begin(api.get, f"/videos/{quote(video_id, safe='')}")
    try:
        prediction = predicted.result()
    except ApiError as error:
        if not error.not_found:
            raise
        return Result(video_id, str(api.get(f"/bloom/videos/{quote(video_id, safe='')}")["status"]))
    video, reasons = _or_none(shown), _or_none(explained)
    category = None if video is None else video["category_id"]
    spread = _or_none(begin(api.get, "/distribution", metric="performance", category=category))
    return Result(video_id, prediction["bloom_filter_status"], prediction, video, reasons, spread)


def _or_none(answer: Any) -> Any:
    """What stands beside the prediction may be missing; the prediction stays."""
    try:
        return answer.result()
    except ApiError as error:
        if error.signed_out:
            raise
        return None


def _heading(view: View, names: Mapping[int, str], video: Mapping[str, Any]) -> None:
    category = names.get(video["category_id"], "–")
    line = " · ".join((video["channel_title"] or "–", category, view.fmt.day(video["first_seen"])))
    st.html(f'<div style="{_TITLE}">{html.escape(video["title"])}</div><div style="opacity:.75;font-size:.9rem">{html.escape(line)}</div>')


def _place(view: View, names: Mapping[int, str], kept: Result, *, narrow: bool) -> None:
    assert kept.spread is not None and kept.explained is not None  # noqa: S101, PT018 - the caller has looked
    t, fmt, spread, span = view.t, view.fmt, kept.spread, kept.explained["score_interval"]
    score = kept.explained["performance_score"]
    top = fmt.share(share_above(spread["x"], spread["cdf"], score))
    name = names.get(kept.video["category_id"] if kept.video else -1, t("search.every_category"))
    marks = [Mark(score, t("search.marker"), span["lower"], span["upper"])]
    axis = t("performance.performance_axis")
    said = t("search.on_curve", category=name, top=top, score=fmt.number(score, 1))
    st.markdown(f"**{t('search.place')}**")
    st.html(f'<div data-testid="eg-on-curve">{html.escape(said)}</div>')
    cdf = cumulative(spread["x"], spread["cdf"], Labels(t("search.cdf"), axis, t("performance.share_axis")), marks=marks)
    pdf = density(spread["x"], spread["pdf"], Labels(t("search.pdf"), axis, t("performance.density_axis")), marks=marks)
    for figure, key, column in zip((cdf, pdf), ("cdf", "pdf"), [st.container(), st.container()] if narrow else st.columns(2), strict=True):
        with column:
            show_figure(figure, key=f"place-{key}", alt=f"{t(f'search.{key}')}. {said}")


def _mattered(view: View, names: Mapping[int, str], explained: Mapping[str, Any]) -> None:
    t, rows = view.t, (explained["effects"] or [])[:MOST_EFFECTS]
    if not rows:
        st.caption(t("search.no_effects"))
        return
    labels = [_feature(view, names, row) for row in rows]
    figure = effects(rows, labels, Labels(t("search.mattered"), t("search.mattered_axis"), ""))
    show_figure(figure, key="mattered", alt=t("search.mattered_alt", first=labels[0]))
    st.caption(t("search.mattered_about"))


def _feature(view: View, names: Mapping[int, str], row: Mapping[str, Any]) -> str:
    feature, value = row["feature"], row["value"]
    if feature == "category_id":
        said = names.get(int(value), "–")
    elif feature == "day_of_week":
        said = get_day_names("abbreviated", locale=view.fmt.locale)[int(value)]
    else:
        said = view.fmt.number(value, 0 if float(value).is_integer() else 1)
    return f"{feature_words(view.t, feature)} {said}"


def _made_by(view: View, prediction: Mapping[str, Any]) -> None:
    t, fmt = view.t, view.fmt
    origin = t("search.cached") if prediction["cached"] else t("search.computed", time=fmt.milliseconds(prediction["processing_time"]))
    said = [t("search.version", version=prediction["model_version"]), origin]
    if prediction["features_as_of"] is not None:
        said.append(t("search.as_of", instant=fmt.instant(prediction["features_as_of"], "short")))
    st.caption(" · ".join(said))
    if prediction["degraded"]:
        reasons = ", ".join(named(t, "search.reason", reason) for reason in prediction["degraded_reasons"])
        st.warning(t("search.degraded", reasons=reasons), icon=":material/info:")
