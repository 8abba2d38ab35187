"""Where a model trained elsewhere may come from: this stack's own MLflow, and nothing else. What a caller names is never fetched from anywhere
it names: no http, no file, no object store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from evergreen.core.errors import InvalidRequest

MAX_URI = 300
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_FORMS: tuple[tuple[Literal["version", "alias", "model", "run"], re.Pattern[str]], ...] = (
    ("model", re.compile(r"models:/(?P<name>m-[0-9a-f]{32})", re.ASCII)),
    ("version", re.compile(rf"models:/(?P<name>{_NAME})/(?P<ref>[1-9][0-9]{{0,8}})", re.ASCII)),
    ("alias", re.compile(rf"models:/(?P<name>{_NAME})@(?P<ref>{_NAME})", re.ASCII)),
    ("run", re.compile(rf"runs:/(?P<name>[0-9a-f]{{32}})/(?P<ref>{_NAME}(/{_NAME}){{0,4}})", re.ASCII)),
)


@dataclass(frozen=True)
class CandidateUri:
    kind: Literal["version", "alias", "model", "run"]
    name: str
    """Of the registered model, the logged model's id, the run's id."""
    ref: str
    """The version's number, the alias, the folder of the run; empty for a logged model."""


def parse_candidate_uri(uri: str) -> CandidateUri:
    """Raises InvalidRequest."""
    if len(uri) <= MAX_URI:
        for kind, form in _FORMS:
            found = form.fullmatch(uri)
            if found is not None:
                return CandidateUri(kind, found["name"], found.groupdict().get("ref") or "")
    raise InvalidRequest(
        "a model comes from this stack's MLflow: models:/NAME/VERSION, models:/NAME@ALIAS, models:/m-ID or runs:/RUN_ID/PATH. Log it there first "
        '(mlflow.sklearn.log_model with serialization_format="skops")'
    )
