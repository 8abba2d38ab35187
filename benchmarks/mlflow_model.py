"""The same fitted pipeline for `mlflow models serve`, logged as training logs it: skops, its types named, every feature a required double."""

from __future__ import annotations

from pathlib import Path

from benchmarks.material import SPEC, Material


def saved(material: Material, folder: Path) -> Path:
    from mlflow import sklearn
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.types import ColSpec, Schema
    from skops.io import dumps, get_untrusted_types

    pipeline = material.versions[1].estimators["primary"]
    columns = Schema([ColSpec("double", name) for name in SPEC.feature_names])
    sklearn.save_model(
        pipeline,
        folder,
        serialization_format="skops",
        skops_trusted_types=sorted(get_untrusted_types(data=dumps(pipeline))),
        signature=ModelSignature(inputs=columns, outputs=infer_signature(material.predicted()[:5]).inputs),
        pip_requirements=[],
    )
    return folder
