import json

import pandas as pd

from evergreen.domains.videos.app import KNOWN_AT_LISTING, TrendingApp
from evergreen.domains.videos.features import build_features, request_features
from evergreen.domains.videos.names import COUNT_FEATURES, ENTITY, FACTS, FEATURES


def test_a_request_gives_the_features_training_has_however_many_days_come_at_once(silver: pd.DataFrame) -> None:
    spring = silver[silver["list_date"] < "2025-04-01"]
    trained = build_features(spring, "KR").set_index(ENTITY)
    app = TrendingApp()
    asked = 0
    for first in pd.date_range("2025-02-23", "2025-03-31", freq="7D"):
        fresh = app.first_listed(spring[spring["list_date"].between(first, first + pd.Timedelta(days=6))])
        requests = [json.loads(json.dumps(app.request({str(name): value for name, value in row.items()}))) for row in fresh.to_dict("records")]
        online = request_features([request["features"] for request in requests], "KR")[list(FEATURES)]
        offline = trained.loc[[request["video_id"] for request in requests], list(FEATURES)].reset_index(drop=True)
        pd.testing.assert_frame_equal(online, offline, check_exact=True)
        asked += len(requests)
    assert asked == len(trained)


def test_a_request_carries_no_count_and_no_rank() -> None:
    assert not {*COUNT_FEATURES, "rank"} & set(KNOWN_AT_LISTING)
    assert set(KNOWN_AT_LISTING) <= {*FEATURES, *FACTS}


def test_a_video_is_asked_for_once_and_its_outcome_is_the_count(silver: pd.DataFrame) -> None:
    day = silver[silver["list_date"] == "2025-03-01"]
    app = TrendingApp()
    fresh = app.first_listed(day)
    assert len(fresh) == day["video_id"].nunique()
    assert app.first_listed(day).empty
    row = {"video_id": "a", "view_count": 12}
    assert app.outcome(row) == {"video_id": "a", "outcome": {"view_count": 12}}
    assert app.outcome({**row, "view_count": pd.NA}) is None


def test_a_row_that_is_unfit_for_silver_is_never_sent(silver: pd.DataFrame) -> None:
    day = silver[silver["list_date"] == "2025-03-01"].head(5).reset_index(drop=True)
    good, last = str(day.at[0, "video_id"]), str(day.at[4, "video_id"])
    broken = day.assign(video_id=[good, "with space", "\uc601\uc0c1", "x" * 65, last], view_count=[100, 100, 100, 100, -5])
    app = TrendingApp()
    assert app.first_listed(broken)["video_id"].tolist() == [good]
    next_day = silver[silver["list_date"] == "2025-03-02"].head(40).reset_index(drop=True)
    next_day.loc[3, "video_id"] = last  # its count of that day is not the one it was first listed with
    assert last not in set(app.first_listed(next_day)["video_id"])
    app = TrendingApp({good})
    app.first_listed(broken)
    again = app.first_listed(day)
    assert set(again["video_id"]) == set(day["video_id"]) - {good}  # a repaired row of a later list is asked about then
