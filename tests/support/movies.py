"""Days of the simulated ratings that tests share."""

from datetime import date

FIRST, BREAK, LAST = date(2025, 1, 1), date(2025, 2, 10), date(2025, 2, 28)
