"""Which rows a drift check compares: the champion's training window as it was trained, and the newest lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from evergreen.contracts.envelope import derived_id
from evergreen.contracts.events import Window
from evergreen.ports.versions import VersionRow

if TYPE_CHECKING:
    import pandas as pd

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class CheckedWindow:
    window: Window
    """As announced and as reported."""
    looked_from: date
    """First day of the rows compared. A window shorter than a week is looked at together with the days before it, so that a Sunday
    alone is not drift and fifteen rows are not a distribution."""


def windows_of(params: Mapping[str, Any], last_known: date) -> list[Window]:
    """The action's windows, each once, in order; the newest week where it names none."""
    given = {(window.first_day, window.last_day): window for window in map(Window.model_validate, params.get("windows", ()))}
    return [given[days] for days in sorted(given)] or [Window(first_day=last_known + timedelta(days=1) - WEEK, last_day=last_known)]


def checkable(windows: Iterable[Window], version: VersionRow, last_known: date) -> tuple[list[CheckedWindow], dict[str, str]]:
    """(windows to check, why the others are not): nothing not yet released is looked at, nothing the version was trained on is new to it."""
    chosen, skipped = [], {}
    for window in windows:
        name = name_of(window)
        if window.last_day > last_known:
            skipped[name] = "not_released"
        elif window.last_day <= version.trained_to:
            skipped[name] = "in_training"
        else:
            since = version.trained_to + timedelta(days=1)
            chosen.append(CheckedWindow(window, max(min(window.first_day, window.last_day + timedelta(days=1) - WEEK), since)))
    return chosen, skipped


def name_of(window: Window) -> str:
    return f"{window.first_day}..{window.last_day}"


def report_id(version_name: str, window: Window) -> UUID:
    """Of a version's report on a window: known to whoever knows the two."""
    return UUID(derived_id("drift_report", version_name, window.first_day, window.last_day))


def rows_between(table: pd.DataFrame, column: str, first: date, last: date) -> pd.DataFrame:
    days = table[column].dt.date
    chosen: pd.DataFrame = table[(days >= first) & (days <= last)]
    return chosen
