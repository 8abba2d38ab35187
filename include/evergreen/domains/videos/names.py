"""Names of the feature table, apart from pandas so that light processes can read a spec."""

from __future__ import annotations

TITLE_FEATURES: tuple[str, ...] = (
    "title_length",
    "title_words",
    "title_hangul",
    "title_latin",
    "title_kana",
    "title_han",
    "title_digits",
    "title_marks",
    "title_upper",
)
CHANNEL_FEATURES: tuple[str, ...] = ("channel_videos", "channel_mean_log_views", "channel_last_log_views", "channel_days_since")
"""What was known of the channel strictly before the list's day."""

HISTORY_COLUMNS: tuple[str, ...] = ("channel_videos", "channel_mean_log_views", "channel_last_log_views", "channel_last_listed")
"""A channel's entry in the feature store."""

FEATURES: tuple[str, ...] = (
    "category_id",
    "hour",
    "day_of_week",
    "is_weekend",
    "age_hours",
    *TITLE_FEATURES,
    "tag_count",
    "description_length",
    "is_live",
    "duration",
    *CHANNEL_FEATURES,
)
"""Known when a video is first listed, or earlier: the primary head and the viral head see these alone."""

COUNT_FEATURES: tuple[str, ...] = ("view_count", "like_count", "comment_count", "like_view_ratio", "comment_view_ratio", "engagement_rate")
"""The day's own counts: they say nothing new about the views at first listing, they *are* them. Only the heads about the days after see these."""

FACTS: tuple[str, ...] = ("title", "published_at", "list_date", "channel_last_listed", "channel_id", "channel_title")
"""What a request may give beside features: to derive them from, or (the channel) to look its history up by."""

ENTITY = "video_id"
CHANNEL_ENTITY = "channel:"
"""Prefix of a channel's entries in the feature store, followed by its id (or `title:` and its name where a source has no ids)."""
TIME = "list_date"
GOLD = "video_features"
"""Gold table of the feature rows."""
TARGET = "log_views"
STILL_LISTED = "still_listed_3d"
GROWTH = "growth_next_day"
LABELS: tuple[str, ...] = (TARGET, STILL_LISTED, GROWTH)

ZONES: dict[str, str] = {
    "KR": "Asia/Seoul",
    "JP": "Asia/Tokyo",
    "US": "America/New_York",
    "GB": "Europe/London",
    "DE": "Europe/Berlin",
    "FR": "Europe/Paris",
    "IN": "Asia/Kolkata",
    "CA": "America/Toronto",
    "MX": "America/Mexico_City",
    "BR": "America/Sao_Paulo",
    "RU": "Europe/Moscow",
}


def zone_of(region: str) -> str:
    """The local time zone publish hours are read in: a region's most populous one; UTC where none is known."""
    return ZONES.get(region, "UTC")


def channel_key(channel_id: str | None, channel_title: str | None) -> str | None:
    return channel_id or (f"title:{channel_title}" if channel_title else None)
