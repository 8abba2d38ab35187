"""Text forms found in trending files: days, durations, flags, tags, regions in file names. Pure, one value at a time."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date
from functools import lru_cache
from pathlib import PurePath

_DAY_FORMS = (
    re.compile(r"^(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})(?:[T ].*)?$"),  # 2020-08-12T00:00:00Z
    re.compile(r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:T.*)?$"),  # 20201108T00:00:00Z
    re.compile(r"^(?P<y>\d{2})\.(?P<d>\d{2})\.(?P<m>\d{2})$"),  # 17.14.11: year, day, month
    re.compile(r"^(?P<d>\d{2})\.(?P<m>\d{2})$"),  # 13.09: only the set of 2017 writes it so, without a year
)
_DURATION = re.compile(r"^P(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+)S)?)?$")
_REGION = re.compile(r"(?<![A-Za-z])([A-Za-z]{2})(?=$|[_\-. ]|videos|youtube)")
_A_WORD_TOO = "in"
"""Of the regions' codes the one that is English in small letters."""
_FILE_DAY = re.compile(r"(?<!\d)(20\d{2})-?(\d{2})-?(\d{2})(?!\d)")
_TRUE = frozenset({"true", "1", "1.0", "live", "yes"})
_FALSE = frozenset({"false", "0", "0.0", "none", "upcoming", "completed", "no"})


@lru_cache(maxsize=4096)
def parse_day(text: str) -> date | None:
    """The day a text names in one of the known forms, else None."""
    for form in _DAY_FORMS:
        if match := form.match(text.strip()):
            part = {name: int(value) for name, value in match.groupdict().items()}
            year = part.get("y", 2017)
            try:
                return date(year if year > 99 else 2000 + year, part["m"], part["d"])
            except ValueError:
                return None
    return None


def parse_duration(text: str) -> float | None:
    """Seconds of an ISO 8601 duration such as `PT1H2M3S` (YouTube's form) or of a plain number, else None."""
    match = _DURATION.match(text.strip())
    try:
        if match and any(match.groups()):
            part = {name: int(value or 0) for name, value in match.groupdict().items()}
            return float(part["d"] * 86400 + part["h"] * 3600 + part["m"] * 60 + part["s"])
        return float(text)
    except (ValueError, OverflowError):  # no number, one of thousands of digits, or one beyond a float
        return None


def parse_flag(value: object) -> bool | None:
    text = str(value).strip().lower()
    return True if text in _TRUE else False if text in _FALSE else None


def count_tags(value: object) -> int:
    """Number of tags in a list, in `a|b|c` (Kaggle's form) or in their mark for none."""
    if isinstance(value, list | tuple):
        return len(value)
    text = "" if value is None else str(value).strip()
    if text.lower() in {"", "[none]", "none", "nan"}:
        return 0
    return sum(1 for tag in text.split("|") if tag.strip().strip('"'))


def region_of(name: str, known: Collection[str]) -> str | None:
    """`KR` of `trending_videos_KR_20250223.json`, `KRvideos.csv` or `yt_trending_kr.csv`; None when the name says nothing. A known region
    goes before any other two capitals, which still say that the file is not of one of ours."""
    codes = _REGION.findall(PurePath(name).stem)
    ours = [code.upper() for code in codes if code.upper() in known and code != _A_WORD_TOO]
    return next(iter([*ours, *(code for code in codes if code.isupper())]), None)


def day_of(name: str) -> date | None:
    """The single day in a file name; None without one or with several (a period is not a day)."""
    days = _FILE_DAY.findall(PurePath(name).stem)
    return parse_day("-".join(days[0])) if len(days) == 1 else None
