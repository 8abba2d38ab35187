"""The batch schema of the video domain: what loaders and the simulator make, and what bronze and silver hold. The single place for names and types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["text", "whole", "real", "flag", "day", "instant"]

DTYPES: Mapping[Kind, str] = {
    "text": "str",
    "whole": "Int64",
    "real": "float64",
    "flag": "boolean",
    "day": "datetime64[us]",
    "instant": "datetime64[us, UTC]",
}


@dataclass(frozen=True)
class Column:
    name: str
    kind: Kind
    required: bool = False
    """A row without it is no row: quality quarantines it."""

    @property
    def dtype(self) -> str:
        return DTYPES[self.kind]


BATCH_COLUMNS: tuple[Column, ...] = (
    Column("region", "text", required=True),
    Column("list_date", "day", required=True),  # day of the list, naive midnight
    Column("rank", "whole"),
    Column("video_id", "text", required=True),
    Column("title", "text", required=True),
    Column("channel_id", "text"),  # absent in 2017
    Column("channel_title", "text"),
    Column("category_id", "whole", required=True),
    Column("published_at", "instant"),  # absent in 2017
    Column("default_language", "text"),
    Column("tag_count", "whole"),
    Column("description_length", "whole"),
    Column("is_live", "flag"),
    Column("duration", "real"),  # seconds
    Column("view_count", "whole"),
    Column("like_count", "whole"),  # null: the channel hides it
    Column("comment_count", "whole"),  # null: comments are off
)
NAMES: tuple[str, ...] = tuple(column.name for column in BATCH_COLUMNS)
REQUIRED: tuple[str, ...] = tuple(column.name for column in BATCH_COLUMNS if column.required)
COUNTS: tuple[str, ...] = ("view_count", "like_count", "comment_count")
KEY: tuple[str, ...] = ("region", "list_date", "video_id")

LOAD_ERROR = "load_error"
"""Extra text column of a batch, null for a good row: `column: what could not be read`, several joined by `; `.
A typed column cannot carry `abc` where a number belongs, so the reason travels beside the row until quality quarantines it. Silver has no such column."""


def empty_batch() -> pd.DataFrame:
    import pandas as pd

    columns = {column.name: pd.Series([], dtype=column.dtype) for column in BATCH_COLUMNS}
    return pd.DataFrame({**columns, LOAD_ERROR: pd.Series([], dtype="str")})
