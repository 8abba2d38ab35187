"""What rows that were set aside leave behind: entities whose first row is missing, days of which much is missing.

Guarantee: a table of first rows holds an entity's first row or nothing of it, never a later row in its place. Failure: a bad day loses some
rows, and the next good row of such an entity, older and larger, looks like its first. Remedy: the entity is left out until a repaired batch
brings the missing row; silver then holds it and the gap is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from evergreen.core.quality import INCIDENT_SHARE

if TYPE_CHECKING:
    import pandas as pd


def whole_entities(rows: pd.DataFrame, set_aside: pd.DataFrame, entity: str, day: str) -> pd.DataFrame:
    """Without the rows of entities that had a row set aside on a day before their first one here."""
    if set_aside.empty or rows.empty:
        return rows
    lost = rows[entity].map(set_aside.groupby(entity)[day].min())
    kept: pd.DataFrame = rows[~(lost < rows.groupby(entity)[day].transform("min"))]
    return kept


def missing_rows(silver: pd.DataFrame, set_aside: pd.DataFrame, entity: str, day: str) -> pd.DataFrame:
    """What was set aside and never came repaired, each key once. A day before the first of silver is somebody's error in a date, no gap."""
    if set_aside.empty or silver.empty:
        return set_aside.iloc[:0]
    keys = set_aside[set_aside[day] >= silver[day].min()].drop_duplicates([entity, day])
    marked = keys.merge(silver[[entity, day]].drop_duplicates(), on=[entity, day], how="left", indicator=True)
    missing: pd.DataFrame = marked[marked["_merge"] == "left_only"].drop(columns="_merge").reset_index(drop=True)
    return missing


def without_gaps(silver: pd.DataFrame, missing: pd.DataFrame, entity: str, day: str) -> pd.DataFrame:
    """Entities whose first row is there, and of their later missing rows the keys alone: that an entity was there that day is known, so a
    label that asks for no more stays right."""
    import pandas as pd

    whole = whole_entities(silver, missing, entity, day)
    known = missing[missing[entity].isin(whole[entity]) & missing[day].isin(silver[day])]
    if known.empty:
        return whole
    return pd.concat([whole, known.reindex(columns=silver.columns).astype(silver.dtypes.to_dict())], ignore_index=True)


def spoilt_days(silver: pd.DataFrame, missing: pd.DataFrame, day: str) -> Sequence[date]:
    """Days whose rows are no fair sample any more, in order: too large a part of them is missing."""
    lost, held = missing[day].value_counts(), silver[day].value_counts()
    share = lost / (lost + held.reindex(lost.index, fill_value=0))
    return sorted(moment.date() for moment in share.index[share >= INCIDENT_SHARE])
