"""What is drawn of models and back-tests, from plain rows."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.charts.backtest import actions_side_by_side
from dashboard.charts.measures import CHANGE, measure_name, measures
from dashboard.charts.models import retrain_worth, service_timeline, versions_compared
from dashboard.formats import Formats
from dashboard.words import words

T = words("en")


def deployment(number: int, since: str | None, until: str | None = None, **changes: Any) -> dict[str, Any]:
    return {"version": f"m@{number}", "kind": "promote", "served_from": since, "served_to": until, "forced": False, "reason": "approved", **changes}


def version(number: int, error: float | None, **changes: Any) -> dict[str, Any]:
    same = {"metric": "mae", "champion": False, "quarantined": None, "status": "approved", "held_out_interval": None, "judged": None, "metrics": {}}
    return {"number": number, "held_out_error": error, **same, **changes}


def test_a_version_has_a_bar_for_each_time_it_served() -> None:
    rows = [
        deployment(1, "2025-08-03T00:00:00Z", kind="rollback"),
        deployment(2, "2025-08-02T00:00:00Z", "2025-08-03T00:00:00Z", forced=True),
        deployment(1, "2025-08-01T00:00:00Z", "2025-08-02T00:00:00Z"),
        deployment(3, None),
    ]
    figure = service_timeline(rows, T, Formats("en"))
    assert [(bar.name, list(bar.y), list(bar.marker.pattern.shape)) for bar in figure.data] == [
        ("promotion", ["m@2", "m@1"], ["/", ""]),
        ("rollback", ["m@1"], [""]),
    ]
    day = 24 * 3600 * 1000
    assert list(figure.data[0].x) == [day, day]
    assert 0 < figure.data[1].x[0] < day  # it serves still: to the end of the picture
    assert figure.data[0].base[0].isoformat() == "2025-08-02T09:00:00+09:00"
    assert figure.data[1].customdata[0][0] == "serves now"
    assert list(figure.layout.yaxis.categoryarray) == ["m@1", "m@2"]


def test_what_people_wrote_is_no_markup_in_a_hover() -> None:
    [bar] = service_timeline([deployment(1, "2025-08-01T00:00:00Z", reason="<img src=x onerror=alert(1)>")], T, Formats("en")).data
    assert "<" not in bar.customdata[0][1]


def test_an_error_stands_within_its_interval_and_who_serves_is_told_apart() -> None:
    rows = [version(2, 0.2, champion=True, held_out_interval=[0.15, 0.26]), version(1, 0.3, status="refused"), version(3, None)]
    figure = versions_compared(rows, "mae", T)
    serves, refused = figure.data
    assert (serves.name, list(serves.x), list(serves.y)) == ("serves", ["@2"], [0.2])
    assert (serves.error_y.array[0], serves.error_y.arrayminus[0]) == (pytest.approx(0.06), pytest.approx(0.05))
    assert (refused.name, refused.marker.symbol, refused.error_y.array[0]) == ("refused", "x", 0)
    assert list(figure.layout.xaxis.categoryarray) == ["@1", "@2"]
    assert "mae" in figure.layout.yaxis.title.text


def test_what_the_score_card_holds_can_be_compared_with_intervals_where_they_are_known() -> None:
    judged = {"relative": -0.2, "relative_interval": [-0.3, -0.1]}
    rows = [version(2, 0.2, judged=judged, metrics={"mae": 0.2, "mae_median": 0.4, "training_rows": 900.0}), version(1, 0.3, metrics={"mae": 0.3})]
    names = {one: measure_name(T, one, "mae") for one in measures(rows)}
    assert names == {
        "mae": "Held-out mae",
        CHANGE: "Change against the champion of then",
        "mae_median": "mae of the training median",
        "training_rows": "Training rows",
    }
    [change] = versions_compared(rows, CHANGE, T).data
    assert (list(change.x), list(change.y), list(change.error_y.array)) == (["@2"], [-0.2], [pytest.approx(0.1)])
    [rows_] = versions_compared(rows, "training_rows", T).data
    assert (list(rows_.y), list(rows_.error_y.array)) == ([900.0], [0])


def test_a_promise_stands_beside_what_came_of_it() -> None:
    entry = {"promised_interval": [-0.2, -0.05], "realised_interval": None}
    rows = [{"version": "m@1", "promised": -0.1, "realised": None, **entry}, {"version": "m@2", "promised": None, "realised": 0.3, **entry}]
    promised, realised = retrain_worth(rows, T).data
    assert (list(promised.y), list(promised.customdata)) == ([-0.1], ["m@1"])
    assert (list(realised.y), list(realised.customdata)) == ([0.3], ["m@2"])
    assert promised.x[0] < 0.5 < realised.x[0]


def test_the_loops_own_steps_are_shown_only_where_they_differ() -> None:
    actions = {
        "ingest": {"recorded": 3, "running": 3, "moved": 3},
        "evaluate": {"recorded": 3, "running": 3, "moved": 1},
        "retrain": {"recorded": 4, "running": 4, "moved": 2},
    }
    running, moved = actions_side_by_side(actions, T).data
    assert list(running.x) == ["Evaluate", "Retrain"]
    assert (list(running.y), list(moved.y)) == ([3, 4], [1, 2])


@pytest.mark.parametrize(
    "draw", [lambda: versions_compared([], "mae", T), lambda: retrain_worth([], T), lambda: actions_side_by_side({}, T)], ids=["errors", "worth", "backtest"]
)
def test_nothing_is_drawn_as_nothing(draw: Any) -> None:
    assert all(not len(trace.y) for trace in draw().data)
