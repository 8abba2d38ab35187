"""Two months of simulated ratings with a break, their features and a fitted version, made once; the real ratings where they are."""

from pathlib import Path

import pandas as pd
import pytest

from evergreen.domains.movies.dataset import movie_dataset
from evergreen.domains.movies.names import TIME
from evergreen.domains.movies.simulator import simulate
from evergreen.domains.movies.spec import movie_spec
from evergreen.ports.model import FittedModel, ModelSpec
from evergreen.settings import load_settings
from tests.support.movies import BREAK, FIRST, LAST


@pytest.fixture(scope="session")
def received() -> pd.DataFrame:
    return simulate(FIRST, LAST, break_on=BREAK, users=150, sessions=30)


@pytest.fixture(scope="session")
def silver(received: pd.DataFrame) -> pd.DataFrame:
    return movie_dataset().validate(received, LAST).clean


@pytest.fixture(scope="session")
def spec() -> ModelSpec:
    return movie_spec()


@pytest.fixture(scope="session")
def table(silver: pd.DataFrame, spec: ModelSpec) -> pd.DataFrame:
    return spec.build_features(silver)


@pytest.fixture(scope="session")
def training(table: pd.DataFrame) -> pd.DataFrame:
    return table[table[TIME] < pd.Timestamp(BREAK)]


@pytest.fixture(scope="session")
def fitted(training: pd.DataFrame, spec: ModelSpec) -> FittedModel:
    return spec.fit(training, 0)


@pytest.fixture(scope="session")
def real() -> Path:
    folder = load_settings().test_data / "movielens" / "ml-latest-small"
    if not folder.is_dir():
        pytest.skip("no real ratings on this machine")
    return folder
