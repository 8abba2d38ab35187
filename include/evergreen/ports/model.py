"""What a domain offers the loop: one `ModelSpec` per model. The loop knows nothing else of a domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from evergreen.core.relative_drop import Direction

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from evergreen.ports.grid_search import Search
    from evergreen.ports.registry import GoldenRows


@dataclass(frozen=True)
class Windows:
    """How much data each step looks at (spec: days are list days, rows are feature rows, one per entity)."""

    evaluation_days: int = 7
    """Held out from the candidate's training and used to compare it with the champion."""
    full_window_days: int = 90
    """A version trained on less is retrained in the maintenance window when its data has doubled."""
    min_change_rows: int = 300
    """Training starts at the last confirmed change point if it holds this many rows, else at the beginning."""
    performance_rows: int = 200
    """Newest labelled predictions a performance check looks at."""


@dataclass(frozen=True)
class GateThresholds:
    """Evaluation gates (fail closed). Relative numbers: 0.05 = 5 % of the champion's error."""

    min_rows: int = 50
    non_inferiority_margin: float = 0.02
    """Upper 95 % bootstrap bound of the candidate's relative error increase must stay below this."""
    min_improvement: float = 0.02
    """The point estimate must improve by at least this."""
    segment_column: str | None = None
    segment_min_rows: int = 30
    segment_margin: float = 0.15
    """No segment's error may be worse than the champion's by more."""
    interval_coverage: tuple[float, float] = (0.70, 1.0)
    """Measured coverage of the 80 % interval must lie in this range (small windows waver)."""
    max_calibration_gap: float = 0.15
    """How far a head's chances may lie from the shares that came true, beyond luck."""
    max_surprise: float = 0.5
    """Nats by which a head's log loss may exceed what its chances expect of themselves."""
    max_latency_ms: float = 100.0
    max_size_mb: float = 50.0
    traffic_rows: int = 500
    """Newest recorded requests a candidate is asked."""
    min_traffic: int = 30
    """From so many on, disagreement with the champion's recorded answers is judged."""
    max_disagreement: float = 0.5
    """Share of them that may differ by more than half the champion's interval, unless the world is known to have changed."""


@dataclass(frozen=True)
class Season:
    """What a reference is told apart by, so that a normal Sunday is no drift. A season that comes back but once a year is drift until the
    reference holds one."""

    by: Literal["weekday", "hour", "month"]
    column: str
    """Of the feature table; datetime64."""

    def __str__(self) -> str:
        return f"{self.by} of {self.column}"


@dataclass(frozen=True)
class FittedModel:
    """What training made. `estimators` are scikit-learn objects (saved with skops), `card` is JSON saved beside them."""

    estimators: Mapping[str, Any]
    """By head name; `primary` is the one the gates compare."""
    card: Mapping[str, Any]
    """Thresholds, interval quantiles, score distributions, importances, training window: whatever answers need."""
    forward: pd.Series[float] | None = None
    """By the table's index: what models of earlier rows alone said of the later ones, as in use. No part of what is saved; None: not known."""


class Chances(NamedTuple):
    """What a head said and what came true, row by row."""

    probability: NDArray[np.float64]
    outcome: NDArray[np.float64]
    """0, 1, or NaN while it is not known."""


class Heads(Protocol):
    """A version's estimators, each head's own word by name: a value, or a chance before calibration. Rows hold the spec's `columns`, NaN = not known."""

    def one(self, row: Sequence[float]) -> Mapping[str, float]: ...

    def many(self, rows: Sequence[Sequence[float]] | NDArray[np.float64]) -> Mapping[str, NDArray[np.float64]]: ...


Rows = Sequence[Mapping[str, float]] | None
"""Feature rows of requests, as `ModelSpec.request_row` makes them; None: nobody has made them yet."""


class Answering(Protocol):
    """What serving answers from."""

    def answer(self, requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
        """Per request, which maps feature names (and facts they derive from) to values; JSON values that hold `prediction`, `prediction_lower`
        and `prediction_upper` in the target's units. One vectorised call. `rows`: for a caller who needs them too, so that they are made once."""


class Scoring(Protocol):
    """The primary head alone: what the scoring protocols ask."""

    def __call__(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """`matrix`: (n, len(spec.feature_names)), NaN = not known. Returns (n,)."""


class Predictor(Answering, Protocol):
    """A loaded version. Pure: no I/O, no clock; the same object is used by evaluation, shadow scoring and serving."""

    def predict(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Primary head, shape (n,), in the target's units. `features` has the spec's feature columns; NaN = not known."""

    def interval(self, features: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper bound (n,), (n,) of the primary prediction at the card's nominal coverage."""


@dataclass(frozen=True)
class Constant:
    """The same prediction for every row."""

    value: float

    def __call__(self, features: pd.DataFrame) -> NDArray[np.float64]:
        import numpy as np

        return np.full(len(features), self.value)


Trivial = Callable[["pd.DataFrame"], "NDArray[np.float64]"]
"""What a method that learns next to nothing predicts: feature rows -> (n,)."""


class BuildsArrays(Protocol):
    def __call__(self, estimators: Mapping[str, Any], card: Mapping[str, Any], golden: GoldenRows | None) -> tuple[Mapping[str, NDArray[Any]], float]:
        """(arrays, largest difference between what is answered from them and by the estimators). Raises NotCompilable, NotExact."""


@dataclass(frozen=True)
class ArrayForm:
    """How a version that is no forest of trees is answered from: arrays, made once in a child process."""

    build: str
    """`module:name` of a `BuildsArrays`: the child imports it by this name, which our code fixes and no artifact."""
    heads: Callable[[Mapping[str, NDArray[Any]], Mapping[str, Any]], Heads]
    """(arrays, card) -> heads. Light: serving's workers call it."""


@dataclass(frozen=True)
class Related:
    entity: str
    """Its name in the feature store."""
    unknown: Mapping[str, Any]
    """What is known when the store has no such entry."""


@dataclass(frozen=True)
class ModelSpec:
    name: str
    datasets: tuple[str, ...]
    """Datasets that feed it, e.g. `videos.KR`: a batch of one rings the checks of this model."""
    entity_column: str
    time_column: str
    """Day of the row (datetime64, midnight), in both silver and the feature table."""
    target: str
    """Column of the feature table the primary head predicts."""
    metric: str
    direction: Direction
    """Whether the metric is better when lower (an error) or when higher (a score)."""
    feature_names: tuple[str, ...]
    categorical_features: tuple[str, ...]
    drift_features: tuple[str, ...]
    """Columns of the feature table watched for drift. Cumulative ones (a channel's video count) are left out: they always drift."""
    label_of: Callable[[Mapping[str, Any]], float]
    """The true outcome of `POST /feedback` (e.g. {"view_count": 1000}) in the target's units. Raises ValueError when it cannot be."""
    build_features: Callable[[pd.DataFrame], pd.DataFrame]
    """Silver rows (any order) -> point-in-time feature table, one row per entity at its first listing:
    entity, time, features, target, other heads' labels. A row sees only its own day and earlier ones."""
    fit: Callable[[pd.DataFrame, int], FittedModel]
    """(feature table of the training window, seed) -> fitted model. Deterministic for equal input and seed."""
    predictor: Callable[[Mapping[str, Any], Mapping[str, Any]], Predictor]
    """(estimators by head, card) -> loaded version."""
    baseline: Callable[[pd.DataFrame], Trivial]
    """The trivial method, learnt from a training table: the first version ever is gated against it."""
    trusted_types: frozenset[str]
    """Types skops may load beyond its own defaults: fixed in our code, never read from the artifact."""
    baseline_name: str = "median"
    """Of the trivial method, in reports."""
    windows: Windows = field(default_factory=Windows)
    gates: GateThresholds = field(default_factory=GateThresholds)
    search: Search | None = None
    """None: a retrain fits with the model's own settings."""
    rollout: Mapping[str, float] = field(default_factory=dict)
    """Of `settings.rollout`, by field, where this model wants another value."""
    adopt: Callable[[Any, pd.DataFrame, int], FittedModel] | None = None
    """(estimator trained elsewhere, feature table of the training window, seed) -> a whole version around it: what else it needs is fitted here.
    None: the model takes none. Raises ArtifactRefused."""
    columns: tuple[str, ...] = ()
    """Of a row as all heads see it; starts with the features. Empty: the features."""
    answers: Callable[[Heads, Mapping[str, Any]], Answering] | None = None
    """(heads, card) -> what serving answers from, without pandas or scikit-learn; None: the predictor answers, slower."""
    form: ArrayForm | None = None
    """None: serving's form is made of the estimators' trees."""
    request_facts: tuple[str, ...] = ()
    """What a request to serving may give beside feature names: facts they derive from, counts of the day."""
    request_texts: tuple[str, ...] = ()
    """Facts (or features) whose values are texts: in a CSV file everything else that reads as a number is one."""
    request_row: Callable[[Mapping[str, Any]], Mapping[str, float]] | None = None
    """A request -> its feature row, only what is known: predictions are logged with it, so that another version can be asked the same."""
    chances: Callable[[Predictor, pd.DataFrame], Mapping[str, Chances]] | None = None
    """(loaded version, feature rows with outcomes) -> by head the calibrated chances it would answer; None: the model says none."""
    related: Callable[[Mapping[str, Any]], Related | None] | None = None
    """A request -> another entry of the feature store it builds on (a video's channel); None when it says all of that itself."""
    losses: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]] | None = None
    """(predicted (n,), outcomes (n,)) -> (n,) whose mean is the metric, in the metric's direction. None: absolute errors."""
    expected_losses: Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]] | None = None
    """(predicted, lower, upper; each (n,)) -> (n,) in proportion to the loss to expect while the outcome is not known. None: the interval's half width."""
    season: Season | None = None
    """None: drift is looked for in the reference as a whole."""
    gold: str | None = None
    """Gold table that holds the feature rows as `build_features` makes them, kept by ingest; None: they are built from silver."""
    stale_after: timedelta = timedelta(days=7)
    """Stored features older than this (platform time) degrade an answer."""
    codes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Features that callers may name by a text, and each text's code; one that is not there has the code after the last."""
