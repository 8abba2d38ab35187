"""A fitted version as an honest MLflow model: scikit-learn flavour in skops format, signature, input example, list of types.
Imports mlflow, which costs seconds: only the training job does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from evergreen.core.errors import Unavailable
from evergreen.ports.registry import NewVersion

if TYPE_CHECKING:
    import pandas as pd

_EXAMPLE_ROWS = 5
_ONE_AT_A_TIME = threading.Lock()
"""mlflow's active run and tracking address belong to the process."""
_REQUIREMENTS = ("mlflow", "scikit-learn", "skops", "pandas", "numpy")
"""Named here: left to itself mlflow finds them by loading the model in another process, which takes longer than the training."""


def log_primary(tracking_uri: str, run_id: str, new: NewVersion) -> tuple[str, str]:
    """(model URI, model id) of the primary head, logged into the run."""
    from skops.io import dumps, get_untrusted_types

    primary = new.fitted.estimators["primary"]
    needed = get_untrusted_types(data=dumps(primary))
    with _mlflow(tracking_uri) as mlflow, mlflow.start_run(run_id=run_id):
        example = example_rows(new)
        logged = mlflow.sklearn.log_model(
            primary,
            name=new.spec.name,
            serialization_format="skops",
            skops_trusted_types=sorted(needed),
            signature=_signature(new, np.asarray(primary.predict(example))),
            input_example=example,
            pip_requirements=[f"{name}=={version(name)}" for name in _REQUIREMENTS],
        )
    return str(logged.model_uri), str(logged.model_id)


def example_rows(new: NewVersion) -> pd.DataFrame:
    """The newest training rows with every feature known where there are any: an example with gaps tells little."""
    features = new.example[list(new.spec.feature_names)].astype("float64")
    whole = features.dropna()
    return (whole if len(whole) >= _EXAMPLE_ROWS else features).tail(_EXAMPLE_ROWS).reset_index(drop=True)


def _signature(new: NewVersion, predicted: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
    """Every feature a required column of doubles. A value may be NaN (not known); left to itself mlflow calls a column optional
    because its example has gaps, and then the pipeline misses it."""
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.types import ColSpec, Schema

    columns = [ColSpec("double", name) for name in new.spec.feature_names]
    return ModelSignature(inputs=Schema(columns), outputs=infer_signature(predicted).inputs)


@contextmanager
def _mlflow(tracking_uri: str) -> Iterator[Any]:
    import mlflow
    import mlflow.sklearn
    from mlflow.environment_variables import MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT
    from mlflow.exceptions import MlflowException

    with _ONE_AT_A_TIME:
        mlflow.set_tracking_uri(tracking_uri)
        MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.set(True)
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        try:
            yield mlflow
        except MlflowException as error:
            raise Unavailable(f"MLflow did not take the model: {str(error)[:300]}") from error
