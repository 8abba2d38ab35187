"""What the data commands do before they reach a stack's parts."""

from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from evergreen.cli import context, data
from evergreen.core.errors import EvergreenError


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The batches that would be played on a stack for the United States."""
    made = SimpleNamespace(settings=SimpleNamespace(videos=SimpleNamespace(region="US")), datasets={"videos.US": None})
    batches: list[Any] = []
    monkeypatch.setattr(context, "parts", lambda: made)
    monkeypatch.setattr(data, "_play", lambda _made, _region, given, *_rest: batches.extend(given))
    return batches


def day(number: int) -> datetime:
    return datetime(2025, 3, number)  # noqa: DTZ001 - as the command line gives it


def test_simulated_days_are_of_the_stacks_region(played: list[Any]) -> None:
    data.simulate_days(day(1), day(3), seed=7, break_on=None, batch_days=1, pace=0, app_calls=False)
    assert [batch.first_day for batch in played] == [date(2025, 3, number) for number in (1, 2, 3)]
    assert {region for batch in played for region in batch.rows["region"]} == {"US"}


def test_an_end_before_the_start_is_one_line(played: list[Any]) -> None:
    with pytest.raises(EvergreenError, match="the last day 2025-03-01 lies before the first 2025-03-03"):
        data.simulate_days(day(3), day(1), seed=7, break_on=None, batch_days=1, pace=0, app_calls=False)
    assert played == []
