"""What an application with movies sends: each recorded rating as the live interaction it would have been. It asks for no prediction: the
recommender says itself what its lists were worth."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evergreen.domains.movies.names import AT, ENTITY, MOVIE, RATING, USER, kind_of_rating

if TYPE_CHECKING:
    import pandas as pd


class MovieApp:
    def first_listed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Those fit for silver, in the order of their times."""
        from evergreen.domains.movies.quality import coerced, validate

        days = coerced(rows)[AT].dropna()
        if days.empty:
            return rows.iloc[:0]
        return validate(rows, days.max().date()).clean.sort_values([AT, ENTITY], kind="stable", ignore_index=True)

    def request(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """`body` of `POST /interactions`, and the `key` that makes a repeat the same statement."""
        rating = float(row["rating"])
        kind = kind_of_rating(rating) if row["interaction"] == RATING else row["interaction"]
        context = {"replayed": True, "at": row[AT].isoformat()} | ({"rating": rating} if rating == rating else {})
        name = f"{row[ENTITY]} {row[AT].isoformat()} {kind}"
        body = {"user_id": row[USER], "interaction_type": kind, "item_ids": [row[MOVIE]], "context": context}
        return {"key": f"replay-{hashlib.sha256(name.encode()).hexdigest()[:32]}", "body": body}

    def outcome(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        return None
