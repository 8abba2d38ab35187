"""Simulated lists, features and a fitted version, made once; the real lists where they are."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from evergreen.domains.videos.features import build_features
from evergreen.domains.videos.names import TIME
from evergreen.domains.videos.simulator import simulate
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.model import FittedModel, ModelSpec, Predictor
from evergreen.settings import load_settings

BREAK = date(2025, 7, 24)


@pytest.fixture(scope="session")
def silver() -> pd.DataFrame:
    return simulate(date(2025, 2, 23), date(2025, 8, 25), 3, break_on=BREAK)


@pytest.fixture(scope="session")
def table(silver: pd.DataFrame) -> pd.DataFrame:
    return build_features(silver, "KR")


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    return video_spec("KR")


@pytest.fixture(scope="session")
def fitted(table: pd.DataFrame, spec: ModelSpec) -> FittedModel:
    return spec.fit(table[table[TIME] <= "2025-06-15"], 0)


@pytest.fixture(scope="session")
def predictor(fitted: FittedModel, spec: ModelSpec) -> Predictor:
    return spec.predictor(fitted.estimators, fitted.card)


@pytest.fixture(scope="session")
def real() -> Path:
    folder = load_settings().test_data / "youtube"
    if not folder.is_dir():
        pytest.skip("no real lists on this machine")
    return folder
