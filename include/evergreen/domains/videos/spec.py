"""The video domain's `ModelSpec`: everything the loop knows about it. Light to import; pandas and scikit-learn come with the first call."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from evergreen.domains.videos.answers import COLUMNS, VideoAnswers
from evergreen.domains.videos.names import CHANNEL_ENTITY, COUNT_FEATURES, ENTITY, FACTS, FEATURES, GOLD, HISTORY_COLUMNS, TARGET, TIME, channel_key, zone_of
from evergreen.domains.videos.row import NO_HISTORY, log_views, row_features
from evergreen.ports.model import Chances, Constant, FittedModel, GateThresholds, ModelSpec, Predictor, Related, Windows

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_REGION = "KR"

TRUSTED_TYPES = frozenset({"sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "numpy.dtype"})

DRIFT_FEATURES = ("category_id", "hour", "age_hours", "title_length", "title_hangul", "title_latin", "tag_count", "description_length")
"""Not the channel's history (it grows and so always drifts), not the calendar (it turns every week)."""


def video_spec(region: str = DEFAULT_REGION) -> ModelSpec:
    return ModelSpec(
        name=model_name(region),
        datasets=(f"videos.{region}",),
        entity_column=ENTITY,
        time_column=TIME,
        target=TARGET,
        metric="mae_log10_views",
        direction="lower",
        feature_names=FEATURES,
        categorical_features=("category_id",),
        drift_features=DRIFT_FEATURES,
        label_of=label_of,
        build_features=partial(_build_features, region=region),
        fit=_fit,
        predictor=partial(_predictor, region=region),
        baseline=_baseline,
        trusted_types=TRUSTED_TYPES,
        windows=Windows(),
        gates=GateThresholds(segment_column="category_id"),
        adopt=_adopt,
        columns=COLUMNS,
        answers=partial(VideoAnswers, region=region),
        request_facts=(*FACTS, *COUNT_FEATURES),
        request_texts=FACTS,
        request_row=partial(_request_row, zone=ZoneInfo(zone_of(region))),
        chances=_chances,
        related=_related,
        gold=GOLD,
    )


def model_name(region: str) -> str:
    return "video_performance" if region == DEFAULT_REGION else f"video_performance_{region.lower()}"


def label_of(outcome: Mapping[str, Any]) -> float:
    """log10 of the views a video was first listed with, from feedback such as `{"view_count": 1000}`."""
    count = outcome.get("view_count")
    if isinstance(count, bool) or not isinstance(count, int | float) or not 0 <= count < 2**63:
        raise ValueError(f"view_count must be a number of views, not {count!r}")
    return log_views(float(count))


def _request_row(request: Mapping[str, Any], zone: ZoneInfo) -> dict[str, float]:
    return {name: value for name, value in row_features(request, zone).items() if value == value}


def _related(request: Mapping[str, Any]) -> Related | None:
    """The channel's history, unless the request brings its own."""
    if any(request.get(name) is not None for name in HISTORY_COLUMNS):
        return None
    channel = channel_key(request.get("channel_id"), request.get("channel_title"))
    return None if channel is None else Related(f"{CHANNEL_ENTITY}{channel}", NO_HISTORY)


def _build_features(silver: pd.DataFrame, region: str) -> pd.DataFrame:
    from evergreen.domains.videos.features import build_features

    return build_features(silver, region)


def _fit(table: pd.DataFrame, seed: int) -> FittedModel:
    from evergreen.domains.videos.model import fit

    return fit(table, seed)


def _adopt(estimator: Any, table: pd.DataFrame, seed: int) -> FittedModel:
    from evergreen.domains.videos.adopt import adopt

    return adopt(estimator, table, seed)


def _predictor(estimators: Mapping[str, Any], card: Mapping[str, Any], region: str) -> Predictor:
    from evergreen.domains.videos.model import VideoPredictor

    return VideoPredictor(estimators, card, region)


def _chances(predictor: Predictor, rows: pd.DataFrame) -> Mapping[str, Chances]:
    from evergreen.domains.videos.model import chances

    return chances(predictor, rows)


def _baseline(table: pd.DataFrame) -> Constant:
    """Median log views of a training table."""
    return Constant(float(table[TARGET].median()))
