"""From one source record (a row of a CSV or JSON file, an item of YouTube's `videos.list`) to the batch's names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from evergreen.domains.videos.parse import count_tags
from evergreen.domains.videos.schema import NAMES

ALIASES: Mapping[str, str] = {
    **{name: name for name in NAMES},
    # 2025 and 2020, as re-encoded
    "trending_date": "list_date",
    "description_len": "description_length",
    "live_broadcast": "is_live",
    # Kaggle 2020
    "publishedAt": "published_at",
    "channelId": "channel_id",
    "channelTitle": "channel_title",
    "categoryId": "category_id",
    "likes": "like_count",
    # Kaggle 2017
    "date": "list_date",
    "publish_time": "published_at",
    "views": "view_count",
    "comment_total": "comment_count",
    # YouTube Data API, flattened by a collector
    "id": "video_id",
    "viewCount": "view_count",
    "likeCount": "like_count",
    "commentCount": "comment_count",
    "defaultLanguage": "default_language",
    "defaultAudioLanguage": "default_language",
    "liveBroadcastContent": "is_live",
}
"""Source column -> batch column. `tags` and `description` become counts; everything else is left behind."""

_NEEDED = ("video_id", "title", "category_id", "view_count")


def missing_columns(source: Iterable[str]) -> list[str]:
    """Batch columns without which a file holds no list, in the batch's words."""
    known = {ALIASES[name] for name in source if name in ALIASES}
    return [name for name in _NEEDED if name not in known]


def from_flat(record: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in record.items():
        target = ALIASES.get(name)
        if target is not None and row.get(target) is None:
            row[target] = value
    if "tags" in record and "tag_count" not in row:
        row["tag_count"] = count_tags(record["tags"])
    if "description" in record and "description_length" not in row:
        row["description_length"] = len(str(record["description"] or ""))
    return row


def from_api(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item of `videos.list` with snippet, statistics and contentDetails. A hidden count is absent there and becomes null here."""
    snippet = _part(item, "snippet")
    row = from_flat({**_part(item, "statistics"), **snippet})
    video_id = item.get("id")
    row["video_id"] = video_id.get("videoId") if isinstance(video_id, Mapping) else video_id
    row["duration"] = _part(item, "contentDetails").get("duration")
    row.setdefault("tag_count", 0)  # the API leaves `tags` out when there are none
    for name in ("list_date", "region", "rank"):
        source = next((key for key in item if ALIASES.get(key) == name), None)
        if source is not None:
            row[name] = item[source]
    return row


def _part(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = item.get(name)
    return part if isinstance(part, Mapping) else {}
