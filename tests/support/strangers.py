"""A stranger's data set: a folder of CSV files and one Parquet, whose world changes on a day. Seeded."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

FIRST_DAY = date(2025, 3, 1)
PER_DAY = 16
DISTRICTS = ("north", "south", "east", "west")


def sales(days: int, *, first: date = FIRST_DAY, break_on: date | None = None, per_day: int = PER_DAY, seed: int = 3) -> pd.DataFrame:
    """Sold flats: the price follows area, age and district. From `break_on` on flats are larger, and age counts the other way round."""
    draw = np.random.default_rng(seed)
    frames = []
    for number in range(days):
        day = first + timedelta(days=number)
        broken = break_on is not None and day >= break_on
        area, age = draw.uniform(70, 190, per_day) if broken else draw.uniform(30, 150, per_day), draw.uniform(0, 60, per_day)
        place = draw.integers(0, len(DISTRICTS), per_day)
        slope = 2.0 if broken else -2.0
        price = 100 + 3.0 * area + slope * age + 40.0 * place + draw.normal(0, 12, per_day)
        moment = pd.Timestamp(day, tz="UTC") + pd.to_timedelta(draw.integers(0, 86_400, per_day), unit="s")
        frames.append(
            pd.DataFrame(
                {
                    "Listing ID": [f"L{day:%y%m%d}-{at}" for at in range(per_day)],
                    "Sold at": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "Area (m2)": area.round(1),
                    "age": age.round(1),
                    "District": [DISTRICTS[at] for at in place],
                    "balcony": draw.integers(0, 2, per_day).astype(bool),
                    "noise": draw.normal(0, 1, per_day).round(4),
                    "agency": "Evergreen Homes",
                    "Price": price.round(1),
                    "quick": np.where(price - (200 if broken else 0) + draw.normal(0, 12, per_day) > 380, "yes", "no"),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def write_folder(folder: Path, rows: pd.DataFrame, *, drop: str | None = None) -> Path:
    """A CSV per month, the last one as Parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = rows if drop is None else rows.drop(columns=drop)
    months = kept["Sold at"].str[:7]
    for month in sorted(months.unique()):
        part = kept[months == month].reset_index(drop=True)
        if month == months.max():
            part.to_parquet(folder / f"sales-{month}.parquet", index=False)
        else:
            part.to_csv(folder / f"sales-{month}.csv", index=False)
    return folder
