"""Answers are the pipeline's, to 1e-9 on every one of 1,000 rows: asserted before anything is measured, since a fast wrong answer is worth nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.field import Field, System
from benchmarks.load import Load, measured
from benchmarks.material import ROWS

TOLERANCE = 1e-9
HEADS = ("prediction", "prediction_lower", "prediction_upper", "viral_probability", "still_listed_probability", "predicted_growth", "performance_score")


class Differs(AssertionError):
    """An answer is not the pipeline's."""


def assert_guarded(field: Field) -> None:
    """Who shows no token is refused: what is measured checks each one. Raises Differs."""
    outcome = measured(Load(field.ours.port, "/predict/video", field.material.known_videos("guarded", 1), 1, 10.0, count=1))
    if outcome.errors != {"status 401": 1}:
        raise Differs(f"a request without a token should be refused, and was: {dict(outcome.errors)} {outcome.sample!r}")


def assert_exact(field: Field, paths: Sequence[str]) -> None:
    """Raises Differs."""
    if "video" in paths:
        _assert_videos(field, field.ours)
    for system in field.systems:
        if "scoring" in paths and system.name != "constant":
            _assert_scores(field, system)


def _assert_videos(field: Field, system: System) -> None:
    material = field.material
    found = list(_answers(field, system, "/predict/video", material.known_videos("exact", ROWS)))
    for at, (said, expected) in enumerate(zip(found, material.answers(material.questions), strict=True)):
        for head in HEADS:
            assert_close(f"{system.label}: /predict/video, row {at}, {head}", said[head], expected[head])


def _assert_scores(field: Field, system: System) -> None:
    expected = field.material.predicted().tolist()
    singles = [said["predictions"] for said in _answers(field, system, system.scoring, field.material.single_rows)]
    [batch] = [said["predictions"] for said in _answers(field, system, system.scoring, field.material.batches, 1)]
    for name, found in (("one by one", [score for scores in singles for score in scores]), ("in one batch", batch)):
        if len(found) != len(expected):
            raise Differs(f"{system.label}: {len(found)} scores for {len(expected)} rows, asked {name}")
        for at, (said, right) in enumerate(zip(found, expected, strict=True)):
            assert_close(f"{system.label}: row {at}, asked {name}", said, right)


def assert_close(what: str, said: Any, right: Any) -> None:
    """Two numbers, or nothing on both sides."""
    if (said is None) != (right is None) or (said is not None and right is not None and not abs(said - right) <= TOLERANCE):
        raise Differs(f"{what}: {said!r} instead of {right!r}")


def _answers(field: Field, system: System, path: str, bodies: str, count: int = ROWS) -> Iterator[dict[str, Any]]:
    """In order: one client asks once for each body."""
    kept = field.material.folder / "kept.ndjson"
    outcome = measured(Load(system.port, path, bodies, 1, 300.0, count=count, headers=system.headers, keep=str(kept)))
    if outcome.failed:
        raise Differs(f"{system.label}: {path}: {dict(outcome.errors)}, such as {outcome.sample!r}")
    return (json.loads(line) for line in kept.read_bytes().splitlines())
