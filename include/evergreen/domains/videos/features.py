"""Point-in-time feature table: one row per video at its first listing. Features see that day and earlier ones, labels look ahead.

Guarantee: rows, and every column but the labels, do not change when later days are added, changed or taken away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from evergreen.domains.videos.names import COUNT_FEATURES, FEATURES, GROWTH, STILL_LISTED, TARGET, zone_of
from evergreen.domains.videos.row import log_views, row_features
from evergreen.domains.videos.schema import NAMES

_STILL_LISTED_DAYS = 3


def build_features(silver: pd.DataFrame, region: str) -> pd.DataFrame:
    """Columns: region, video_id, channel_id, list_date, FEATURES, COUNT_FEATURES (float64, NaN = not known), then the labels:

    log_views        log10 of the views at first listing; NaN without a count
    still_listed_3d  1.0 if the list of the third day after holds it, NaN when there is no such list (yet)
    growth_next_day  views a day later / views - 1, of those listed a day later (the others' counts are not known), else NaN
    """
    lists = _of_region(silver, region)
    first = first_listings(lists)
    facts = _records(with_history(first))
    zone = ZoneInfo(zone_of(region))
    rows = pd.DataFrame([row_features(record, zone) for record in facts], columns=[*FEATURES, *COUNT_FEATURES], dtype="float64")
    table = pd.concat([first[["region", "video_id", "channel_id", "list_date"]], rows], axis=1)
    table[TARGET] = _log_views(first["view_count"])
    table[STILL_LISTED] = _still_listed(first, lists)
    table[GROWTH] = _growth(first, lists)
    return table


def request_features(requests: Sequence[Mapping[str, Any]], region: str) -> pd.DataFrame:
    """The same features for requests: batch columns, facts and features in any subset, the channel's history as `channel_history` gives it."""
    zone = ZoneInfo(zone_of(region))
    return pd.DataFrame([row_features(request, zone) for request in requests], columns=[*FEATURES, *COUNT_FEATURES], dtype="float64")


def channel_history(silver: pd.DataFrame, region: str) -> pd.DataFrame:
    """Per channel, after the last day of `silver`: what the feature store holds and a request on a later day brings. Columns: channel, HISTORY_COLUMNS.

    `channel` is the channel id, or `title:<channel_title>` where the source has no ids (2017): see `channel_key`.
    """
    last = _channel_days(first_listings(_of_region(silver, region))).groupby("channel", sort=True).tail(1)
    history = pd.DataFrame({"channel": last["channel"], **_history(last), "channel_last_listed": last["list_date"]})
    return history.sort_values("channel", ignore_index=True)


def first_listings(lists: pd.DataFrame) -> pd.DataFrame:
    """Each video's first row, ordered by day and id, with its `channel` key."""
    ordered = lists.sort_values(["list_date", "video_id"], kind="stable")
    first = ordered.drop_duplicates("video_id").reset_index(drop=True)
    titled = "title:" + first["channel_title"].astype("str")
    return first.assign(channel=first["channel_id"].astype("str").fillna(titled))


def _of_region(silver: pd.DataFrame, region: str) -> pd.DataFrame:
    lists = silver[silver["region"] == region]
    return lists[[name for name in NAMES if name in lists.columns]].reindex(columns=list(NAMES))


def _records(frame: pd.DataFrame) -> list[Mapping[str, Any]]:
    """Rows as plain values: None instead of pandas' own words for nothing."""
    plain = {name: [None if missing else value for value, missing in zip(frame[name].tolist(), frame[name].isna(), strict=True)] for name in frame.columns}
    return [dict(zip(plain, values, strict=True)) for values in zip(*plain.values(), strict=True)]


def _log_views(counts: pd.Series[Any]) -> pd.Series[Any]:
    logs = [np.nan if value is pd.NA or value != value else log_views(float(value)) for value in counts.tolist()]
    return pd.Series(logs, index=counts.index, dtype="float64")


def _channel_days(first: pd.DataFrame) -> pd.DataFrame:
    """Per channel and day with first listings, everything up to and with that day: videos, those with a count, the sum of their log views,
    the mean of the last day that had one. Sums run in day order, so a day's value is the same bits however many days follow."""
    known = first.assign(log=_log_views(first["view_count"])).dropna(subset=["channel"])
    days = known.groupby(["channel", "list_date"], sort=True).agg(videos=("video_id", "size"), counted=("log", "count"), total=("log", "sum")).reset_index()
    days["latest"] = days["total"] / days["counted"].where(days["counted"] > 0)
    by_channel = days.groupby("channel", sort=False)
    days["latest"] = by_channel["latest"].ffill()
    for name in ("videos", "counted", "total"):
        days[name] = by_channel[name].cumsum()
    return days


def _history(days: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    return {
        "channel_videos": days["videos"].astype("float64"),
        "channel_mean_log_views": days["total"] / days["counted"].where(days["counted"] > 0),
        "channel_last_log_views": days["latest"],
    }


def with_history(first: pd.DataFrame) -> pd.DataFrame:
    """First listings with HISTORY_COLUMNS: what the days before a row's own say of its channel. Of a new channel that it has had no video,
    of a nameless one nothing."""
    days = _channel_days(first)
    upto = pd.DataFrame({**_history(days), "channel_last_listed": days["list_date"]})
    before = upto.groupby(days["channel"], sort=False).shift()
    before["channel_videos"] = before["channel_videos"].fillna(0.0)
    history = pd.concat([days[["channel", "list_date"]], before], axis=1)
    return first.merge(history, on=["channel", "list_date"], how="left", validate="many_to_one")


def _still_listed(first: pd.DataFrame, lists: pd.DataFrame) -> pd.Series[Any]:
    later = first["list_date"] + pd.Timedelta(days=_STILL_LISTED_DAYS)
    listed = _views_on(first["video_id"], later, lists)["listed"]
    return listed.astype("float64").where(later.isin(lists["list_date"]))


def _growth(first: pd.DataFrame, lists: pd.DataFrame) -> pd.Series[Any]:
    then = _views_on(first["video_id"], first["list_date"] + pd.Timedelta(days=1), lists)["views"]
    now = first["view_count"].astype("float64")
    return then / now.where(now > 0) - 1.0


def _views_on(videos: pd.Series[Any], days: pd.Series[Any], lists: pd.DataFrame) -> pd.DataFrame:
    known = pd.DataFrame({"video_id": lists["video_id"], "day": lists["list_date"], "views": lists["view_count"].astype("float64"), "listed": True})
    asked = pd.DataFrame({"video_id": videos, "day": days})
    found = asked.merge(known.drop_duplicates(["video_id", "day"]), on=["video_id", "day"], how="left")
    return found.assign(listed=found["listed"].notna())
