"""Predictions and outcomes in the tables, as the recorder writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from evergreen.adapters.postgres.store import PostgresStore


@dataclass(frozen=True)
class Asked:
    entity: str
    time: datetime
    predicted: float
    features: Mapping[str, Any] = field(default_factory=dict)
    shadow: tuple[int, float] | None = None
    bounds: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True)
class Told:
    entity: str
    time: datetime
    outcome: Mapping[str, Any]
    label: float | None = None


def record(store: PostgresStore, model: str, version: int, asked: Sequence[Asked], told: Sequence[Told]) -> None:
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        for parent, days in (("predictions", {row.time.date() for row in asked}), ("feedback", {row.time.date() for row in told})):
            for day in days:
                cursor.execute("SELECT ensure_partition(%s, %s)", (parent, day))
        for row in asked:
            shadow_version, shadow_predicted = row.shadow or (None, None)
            cursor.execute(
                """INSERT INTO predictions (source, id, time, prediction_id, model, version, entity, features, predicted, latency_seconds, cached,
                       shadow_version, shadow_predicted, lower, upper)
                   VALUES ('/serving/x', %s, %s, %s, %s, %s, %s, %s, %s, 0.001, false, %s, %s, %s, %s)""",
                (
                    str(uuid4()),
                    row.time,
                    str(uuid4()),
                    model,
                    version,
                    row.entity,
                    json.dumps(dict(row.features)),
                    row.predicted,
                    shadow_version,
                    shadow_predicted,
                    *row.bounds,
                ),
            )
        for outcome in told:
            cursor.execute(
                "INSERT INTO feedback (source, id, time, model, entity, outcome, label) VALUES ('/serving/x', %s, %s, %s, %s, %s, %s)",
                (str(uuid4()), outcome.time, model, outcome.entity, json.dumps(dict(outcome.outcome)), outcome.label),
            )
