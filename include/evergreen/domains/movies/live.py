"""What users do live, as the movie domain has it: a row of the model's features, and a day as a batch of the dataset."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from evergreen.core.recommending import POSITIVE, Touched
from evergreen.domains.movies.names import AT, GENRES, HISTORY, MOVIE, RATING, RECENT, SINCE_LAST, USER
from evergreen.ports.interactions import InteractionRow

if TYPE_CHECKING:
    import pandas as pd

_DAY = 86_400.0


def feature_row(item: str, at: datetime, history: Sequence[Touched]) -> dict[str, float] | None:
    """Of a positive interaction, from what was touched before it, newest first. None for an item that is no movie of the model's: no number."""
    before = [touched for touched in history if touched.kind in POSITIVE and touched.at < at and touched.item != item]
    recent = [float(touched.item) for touched in before if touched.item.isdigit()][:HISTORY]
    if not item.isdigit():
        return None
    since = {SINCE_LAST: (at - before[0].at).total_seconds() / _DAY} if before else {}
    return {MOVIE: float(item), **since, **dict(zip(RECENT, recent, strict=False))}


def batch_of(rows: Sequence[InteractionRow]) -> pd.DataFrame:
    """One row per interaction and item, in the schema loaders announce. The same interactions give the same bytes."""
    import pandas as pd

    told = [
        (row.time, row.user_id, item, row.kind, row.rating, row.source, "|".join(row.genres.get(item, ())) or None)
        for row in rows
        for item in dict.fromkeys(row.item_ids)
        if row.kind != RATING or row.rating is not None
    ]
    frame = pd.DataFrame(told, columns=[AT, USER, MOVIE, "interaction", "rating", "source", GENRES])
    frame = frame.astype({"rating": "float64", **dict.fromkeys((USER, MOVIE, "interaction", "source", GENRES), "str")})
    return frame.assign(**{AT: pd.to_datetime(frame[AT], utc=True).astype("datetime64[us, UTC]")})
