"""A day lists can be of."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator

_YEARS = range(1970, 9999)


def _within(day: date) -> date:
    if day.year not in _YEARS:
        raise ValueError(f"{day} is not within the years {_YEARS[0]} to {_YEARS[-1]}")
    return day


ListDay = Annotated[date, AfterValidator(_within)]
"""What lies days or weeks before and after it is in the calendar too, so whoever looks there does not fail halfway."""
