"""The child process a submitted model is built in first: nothing foreign in it, its trees whole, finite answers to rows as serving sends them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evergreen.adapters import artifacts, limited_child
from evergreen.adapters.estimator_walk import check_estimator
from evergreen.core.errors import ArtifactRefused


def _try_out(asked: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    estimator = artifacts.build("submitted", body, asked["types"])
    check_estimator(estimator, len(asked["columns"]))
    try:
        predicted = _predicted(estimator, asked)
    except Exception as error:  # whatever it raises, it is refused
        raise ArtifactRefused(f"the model does not answer the {len(asked['columns'])} features serving sends: {type(error).__name__}: {error}"[:400]) from error
    return {"predicted": len(predicted)}, b""


def _predicted(estimator: Any, asked: Mapping[str, Any]) -> Any:
    import numpy as np
    import pandas as pd

    rows = pd.DataFrame(asked["rows"], columns=asked["columns"], dtype="float64")
    named = hasattr(estimator, "feature_names_in_")
    predicted = np.asarray(estimator.predict(rows if named else rows.to_numpy()), dtype=np.float64)
    if predicted.shape != (len(rows),):
        raise ArtifactRefused(f"it gives answers of shape {predicted.shape} for {len(rows)} rows")
    if not np.isfinite(predicted).all():
        raise ArtifactRefused(f"{int((~np.isfinite(predicted)).sum())} of {len(rows)} answers are not finite")
    return predicted


if __name__ == "__main__":
    limited_child.answer(_try_out)
