"""What a version says of a request, without pandas or scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evergreen.domains.tabular.declared import Declared
from evergreen.domains.tabular.row import NAN, readings, row_of
from evergreen.ports.model import Heads, Rows


class TabularAnswers:
    """A loaded version's answers, whatever evaluates its head. Pure: no I/O, no clock."""

    def __init__(self, heads: Heads, card: Mapping[str, Any], declared: Declared) -> None:
        self._heads = heads
        self._width = float(card["interval"]["width"])
        self._classes = declared.classes
        self._readings = readings(declared)

    def answer(self, requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> list[dict[str, Any]]:
        if rows is None:
            values = [list(row_of(request, self._readings).values()) for request in requests]
        else:
            values = [[row.get(name, NAN) for name in self._readings] for row in rows]
        if len(values) == 1:
            return [self._answer(self._heads.one(values[0])["primary"])]
        return [self._answer(said) for said in self._heads.many(values)["primary"].tolist()] if values else []

    def _answer(self, predicted: float) -> dict[str, Any]:
        lower, upper = predicted - self._width, predicted + self._width
        if not self._classes:
            return {"prediction": predicted, "prediction_lower": lower, "prediction_upper": upper}
        likely = self._classes[1] if predicted >= 0.5 else self._classes[0]
        return {"prediction": predicted, "prediction_lower": max(lower, 0.0), "prediction_upper": min(upper, 1.0), "predicted_class": likely}
