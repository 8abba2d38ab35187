from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.domains.videos.coerce import coerce_batch
from evergreen.domains.videos.features import build_features, channel_history, request_features
from evergreen.domains.videos.names import COUNT_FEATURES, FEATURES, GROWTH, HISTORY_COLUMNS, LABELS, STILL_LISTED, TARGET, channel_key
from evergreen.domains.videos.row import NO_HISTORY, row_features

SEOUL = ZoneInfo("Asia/Seoul")
SEEN = ["region", "video_id", "channel_id", "list_date", *FEATURES, *COUNT_FEATURES]

listing = st.fixed_dictionaries(
    {
        "day": st.integers(0, 6),
        "video": st.integers(0, 9),
        "channel": st.sampled_from(["UCa", "UCb", None]),
        "views": st.one_of(st.none(), st.integers(1, 10**9)),
        "likes": st.one_of(st.none(), st.integers(0, 10**6)),
        "age_minutes": st.integers(-600, 10_000),
        "title": st.text(max_size=20).filter(str.strip),
    }
)
silvers = st.lists(listing, min_size=1, max_size=25, unique_by=lambda row: (row["day"], row["video"])).map(
    lambda rows: coerce_batch(pd.DataFrame([as_listed(row) for row in rows]))
)


def as_listed(row: Mapping[str, Any]) -> dict[str, Any]:
    day = pd.Timestamp("2025-03-01") + pd.Timedelta(days=row["day"])
    return {
        "region": "KR",
        "list_date": day,
        "video_id": f"v{row['video']}",
        "title": row["title"],
        "channel_id": row["channel"],
        "channel_title": "somebody" if row["video"] % 2 else None,
        "category_id": 10 + row["video"] % 3,
        "published_at": (day - pd.Timedelta(minutes=row["age_minutes"])).tz_localize("UTC"),
        "tag_count": row["video"],
        "view_count": row["views"],
        "like_count": row["likes"],
        "comment_count": 5,
    }


def asked_online(silver: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """Features of the day's rows as a request makes them: its own facts, and the history the store held the evening before."""
    rows = silver[silver["list_date"] == day].sort_values("video_id")
    before = silver[silver["list_date"] < day]
    fresh = rows[~rows["video_id"].isin(before["video_id"])]
    store = channel_history(before, "KR").set_index("channel")[list(HISTORY_COLUMNS)].to_dict("index")
    requests: list[dict[str, Any]] = []
    for row in fresh.astype(object).where(fresh.notna(), None).to_dict("records"):
        channel = channel_key(row["channel_id"], row["channel_title"])
        known: Mapping[Any, Any] = {} if channel is None else store.get(channel, NO_HISTORY)
        requests.append({**{str(name): value for name, value in row.items()}, **known})
    return request_features(requests, "KR")


def trained_on(silver: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    whole = build_features(silver, "KR")
    return whole.loc[whole["list_date"] == day, [*FEATURES, *COUNT_FEATURES]].reset_index(drop=True)


@settings(max_examples=20, deadline=None)
@given(silver=silvers, data=st.data())
def test_serving_computes_each_row_to_the_bit_as_training_does(silver: pd.DataFrame, data: st.DataObject) -> None:
    day = data.draw(st.sampled_from(sorted(silver["list_date"].unique())))
    pd.testing.assert_frame_equal(asked_online(silver, day), trained_on(silver, day), check_exact=True)


def test_parity_holds_on_simulated_lists(silver: pd.DataFrame) -> None:
    for day in pd.to_datetime(["2025-06-15", "2025-07-24"]):
        online = asked_online(silver, day)
        assert len(online) > 5
        pd.testing.assert_frame_equal(online, trained_on(silver, day), check_exact=True)


@settings(max_examples=12, deadline=None)
@given(silver=silvers, cut=st.integers(0, 6), factor=st.integers(2, 1000))
def test_later_days_change_nothing_in_earlier_rows(silver: pd.DataFrame, cut: int, factor: int) -> None:
    last = pd.Timestamp("2025-03-01") + pd.Timedelta(days=cut)
    later = silver["list_date"] > last
    whole = build_features(silver, "KR")
    past = whole.loc[whole["list_date"] <= last, SEEN].reset_index(drop=True)
    pd.testing.assert_frame_equal(build_features(silver[~later], "KR")[SEEN], past, check_exact=True)

    other = silver.assign(view_count=silver["view_count"].where(~later, silver["view_count"] * factor), title=silver["title"].where(~later, "other"))
    rebuilt = build_features(other, "KR")
    pd.testing.assert_frame_equal(rebuilt.loc[rebuilt["list_date"] <= last, SEEN].reset_index(drop=True), past, check_exact=True)


@settings(max_examples=8, deadline=None)
@given(silver=silvers)
def test_what_the_primary_head_sees_does_not_hold_the_days_counts_nor_the_rank(silver: pd.DataFrame) -> None:
    last = silver["list_date"].max()
    other = silver.assign(view_count=silver["view_count"].where(silver["list_date"] < last, 7), rank=range(len(silver)))
    pd.testing.assert_frame_equal(build_features(other, "KR")[list(FEATURES)], build_features(silver, "KR")[list(FEATURES)], check_exact=True)


@settings(max_examples=8, deadline=None)
@given(silver=silvers, seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(silver: pd.DataFrame, seed: int) -> None:
    pd.testing.assert_frame_equal(build_features(silver.sample(frac=1, random_state=seed), "KR"), build_features(silver, "KR"), check_exact=True)


def video(day: str, views: int | None, name: str = "v", channel: str = "UCa") -> dict[str, Any]:
    return {"region": "KR", "list_date": day, "video_id": name, "title": "t", "channel_id": channel, "category_id": 10, "view_count": views}


def features_of(*rows: dict[str, Any]) -> pd.DataFrame:
    return build_features(coerce_batch(pd.DataFrame(rows)), "KR").set_index("video_id")


def test_one_row_per_video_at_its_first_listing() -> None:
    table = features_of(video("2025-03-02", 200), video("2025-03-01", 100), video("2025-03-04", 900))
    assert table[TARGET].tolist() == [2.0]
    assert table["list_date"].tolist() == [pd.Timestamp("2025-03-01")]


def test_labels_are_unknown_where_the_lists_end_or_fail() -> None:
    table = features_of(
        video("2025-03-01", 100, "stays"),
        video("2025-03-01", 100, "goes"),
        video("2025-03-02", 150, "stays"),
        video("2025-03-04", 400, "stays"),
        video("2025-03-04", 400, "late"),
        video("2025-03-02", None, "uncounted"),
    )
    assert table.loc[["stays", "goes"], STILL_LISTED].tolist() == [1.0, 0.0]
    assert table.loc["stays", GROWTH] == pytest.approx(0.5)
    assert table.loc[["goes", "late", "uncounted"], GROWTH].isna().all()
    assert table.loc[["late", "uncounted"], STILL_LISTED].isna().all()  # no list on 03-07, none on 03-05
    assert table.loc[["uncounted"], TARGET].isna().all()


def test_channel_history_counts_only_the_days_before() -> None:
    table = features_of(
        video("2025-03-01", 100, "a"),
        video("2025-03-03", 10_000, "b"),
        video("2025-03-03", None, "c"),
        video("2025-03-07", 10, "d"),
    )
    assert table["channel_videos"].tolist() == [0.0, 1.0, 1.0, 3.0]
    names = ["channel_mean_log_views", "channel_last_log_views", "channel_days_since"]
    assert table.loc[["b", "c", "d"], names].to_numpy().tolist() == [[2.0, 2.0, 2.0], [2.0, 2.0, 2.0], [3.0, 4.0, 4.0]]


def test_another_regions_rows_stay_out() -> None:
    assert features_of(video("2025-03-01", 100), {**video("2025-03-01", 100, "us"), "region": "US"}).index.tolist() == ["v"]


def test_no_rows_make_an_empty_table_with_every_column() -> None:
    empty = build_features(coerce_batch(pd.DataFrame()), "KR")
    assert empty.empty
    assert list(empty.columns) == [*SEEN, *LABELS]


def test_publication_is_read_in_the_regions_own_time() -> None:
    friday_evening_utc = {"published_at": "2025-06-20T20:30:00Z"}
    assert calendar(row_features(friday_evening_utc, SEOUL)) == (5.0, 5.0, 1.0)
    assert calendar(row_features(friday_evening_utc, ZoneInfo("America/New_York"))) == (16.0, 4.0, 0.0)


def calendar(row: Mapping[str, float]) -> tuple[float, float, float]:
    return row["hour"], row["day_of_week"], row["is_weekend"]


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        pytest.param({"published_at": "2025-06-20T00:00:00Z", "hour": 3}, "hour", 9.0, id="a-given-hour-never-outvotes-the-publication"),
        pytest.param({"day_of_week": 6, "is_weekend": 0}, "is_weekend", 1.0, id="weekend-follows-the-weekday"),
        pytest.param({"is_weekend": 1}, "is_weekend", 1.0, id="weekend-alone-is-taken"),
        pytest.param({"view_count": 200, "like_count": 50, "like_view_ratio": 0.9}, "like_view_ratio", 0.25, id="ratio-follows-the-counts"),
        pytest.param({"like_view_ratio": 0.3}, "like_view_ratio", 0.3, id="ratio-alone-is-taken"),
        pytest.param({"view_count": 0, "like_count": 3, "comment_count": 1}, "engagement_rate", 0.0, id="no-views-no-engagement"),
        pytest.param({"view_count": 100, "like_count": 3, "comment_count": 1}, "engagement_rate", 0.04, id="likes-and-comments-by-views"),
        pytest.param({"hour": 24}, "hour", np.nan, id="hour-out-of-range"),
        pytest.param({"tag_count": -1}, "tag_count", np.nan, id="negative-count"),
        pytest.param({"tag_count": "many"}, "tag_count", np.nan, id="text-for-a-number"),
        pytest.param({"duration": float("inf")}, "duration", np.nan, id="infinite"),
        pytest.param({"duration": "PT1H2M3S"}, "duration", 3723.0, id="iso-duration"),
        pytest.param({"published_at": "yesterday"}, "hour", np.nan, id="unreadable-time"),
        pytest.param({"published_at": "9999-12-31T23:59:59Z", "hour": 7}, "hour", 7.0, id="time-no-zone-can-hold-after"),
        pytest.param({"published_at": "0001-01-01T00:00:00+09:00"}, "hour", np.nan, id="time-no-zone-can-hold-before"),
        pytest.param({"duration": f"PT{'9' * 400}S"}, "duration", np.nan, id="duration-beyond-a-float"),
        pytest.param({"duration": f"PT{'9' * 5000}S"}, "duration", np.nan, id="duration-beyond-an-int"),
        pytest.param({"published_at": "2025-06-20T12:00:00Z", "list_date": "2025-06-22"}, "age_hours", 36.0, id="age-at-listing"),
        pytest.param({"title": "한글 MV! 2"}, "title_hangul", 2.0, id="hangul"),
        pytest.param({"title": "한글 MV! 2"}, "title_marks", 1.0, id="marks"),
        pytest.param({"title": "カナ漢"}, "title_kana", 2.0, id="kana"),
        pytest.param({"list_date": "2025-06-22", "channel_last_listed": "2025-06-20", "channel_videos": 2}, "channel_days_since", 2.0, id="since"),
        pytest.param({"list_date": "2025-06-22", "channel_last_listed": "2025-06-22", "channel_videos": 2}, "channel_videos", np.nan, id="future-history"),
    ],
)
def test_a_feature_from_what_is_given(given: dict[str, Any], name: str, expected: float) -> None:
    assert row_features(given, SEOUL)[name] == pytest.approx(expected, nan_ok=True)
