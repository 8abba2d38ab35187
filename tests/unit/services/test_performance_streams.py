"""Looks at made-up streams whose truth is known, evening by evening for half a year: what is called degraded, and how soon.

16 rows a day are 112 a week, as the Korean lists have; 143 a day are 1,001 a week."""

from __future__ import annotations

import numpy as np
import pytest

from evergreen.domains.tabular.streams import RAMP_DAYS, Kind
from tests.support.looks import found_after, looks

SEEDS = range(50)
RATES = pytest.mark.parametrize("per_day", [16, 143])


@pytest.mark.slow
@RATES
@pytest.mark.parametrize("kind", [Kind.STATIONARY, Kind.SEASONAL_WEEKDAY, Kind.SEASONAL_HOUR, Kind.IRRELEVANT_SHIFT, Kind.EASIER])
def test_what_has_not_become_worse_is_never_called_degraded(kind: Kind, per_day: int) -> None:
    """Of `easier` the inputs move and the error falls by a fifth: better than before, so nothing to roll back from."""
    counted = [sum(look.degraded for look in looks(kind, seed, per_day=per_day)) for seed in SEEDS]
    assert sum(counted) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("per_day", "within"), [pytest.param(16, 14, id="112-a-week"), pytest.param(143, 2, id="1001-a-week")])
def test_an_error_of_three_quarters_more_is_found_before_the_window_is_full_of_it(per_day: int, within: int) -> None:
    """The inputs are the same as ever."""
    found = [found_after(Kind.ABRUPT_CONCEPT, seed, per_day=per_day) for seed in SEEDS]
    assert np.quantile(found, 0.95) <= within
    assert min(found) >= 1  # not before there is anything to find


@pytest.mark.slow
@RATES
def test_two_fifths_more_are_found_by_the_third_week(per_day: int) -> None:
    found = [found_after(Kind.ABRUPT_CONCEPT, seed, per_day=per_day, size=1.4) for seed in SEEDS]
    assert np.quantile(found, 0.95) <= 21


@pytest.mark.slow
@RATES
def test_what_becomes_worse_slowly_is_found_soon_after_it_is_two_fifths_worse(per_day: int) -> None:
    """On the way to +75 % in eight weeks: +40 % after the 30th day."""
    found = [found_after(Kind.GRADUAL_CONCEPT, seed, per_day=per_day) for seed in SEEDS]
    assert np.quantile(found, 0.95) <= 0.4 / 0.75 * RAMP_DAYS + 21
    assert min(found) >= 1


def test_one_stream_of_each_says_what_it_should() -> None:
    assert not any(look.degraded for look in looks(Kind.STATIONARY, 0, per_day=16))
    broken = list(looks(Kind.ABRUPT_CONCEPT, 0, per_day=16))
    assert broken[-1].degraded
    assert 0 <= broken[-1].days_since < 14
    assert broken[-1].window_days >= 13  # whole days, back until there are 200
