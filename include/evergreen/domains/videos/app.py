"""What an application that shows trending videos sends: a prediction asked for when a video is first listed, its real count later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from evergreen.domains.videos.features import first_listings, with_history
from evergreen.domains.videos.names import HISTORY_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

KNOWN_AT_LISTING = (
    "title",
    "channel_id",
    "channel_title",
    "category_id",
    "published_at",
    "list_date",
    "tag_count",
    "description_length",
    "is_live",
    "duration",
    *HISTORY_COLUMNS,
)
"""Never the counts: they are the outcome. Never the rank: it is made of them."""


class TrendingApp:
    """Remembers which videos it has shown, and so what it knew of a channel on the day it asks: the history a request carries is the one
    training would have computed for that row (tested), however many days come in one batch."""

    def __init__(self, shown: Iterable[str] = ()) -> None:
        self._shown = set(shown)
        self._first: pd.DataFrame | None = None
        self._lost: dict[str, pd.Timestamp] = {}
        """First day of an unfit row: such a video's next row is not its first."""

    def first_listed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of videos not in an earlier call, with the history of their channels. Only rows that are fit for silver: an application
        shows no broken row, and serving would refuse it."""
        import pandas as pd

        from evergreen.domains.videos.quality import validate

        checked = validate(rows)
        aside = checked.quarantined[["video_id", "list_date"]].dropna()
        for video, day in zip(aside["video_id"], aside["list_date"], strict=True):
            self._lost[video] = min(self._lost.get(video, day), day)
        unseen = checked.clean[~checked.clean["video_id"].isin(self._shown)]
        first = first_listings(unseen)
        known = [day <= self._lost.get(video, day) for video, day in zip(first["video_id"], first["list_date"], strict=True)]
        fresh = first[pd.Series(known, index=first.index, dtype="bool")].reset_index(drop=True)
        self._shown.update(unseen["video_id"])
        self._first = fresh if self._first is None else pd.concat([self._first, fresh], ignore_index=True)
        return with_history(self._first).iloc[len(self._first) - len(fresh) :].reset_index(drop=True)

    def request(self, row: Mapping[str, Any]) -> dict[str, Any]:
        features = {name: _plain(row[name]) for name in KNOWN_AT_LISTING if name in row and not _missing(row[name])}
        return {"video_id": row["video_id"], "features": features}

    def outcome(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """None where the list shows no count: then there is nothing to tell."""
        if _missing(row["view_count"]):
            return None
        return {"video_id": row["video_id"], "outcome": {"view_count": int(row["view_count"])}}


def _missing(value: Any) -> bool:
    """None, NaN, NaT, NA: all that is not equal to itself."""
    return value is None or bool(value != value) if type(value).__name__ != "NAType" else True


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value
