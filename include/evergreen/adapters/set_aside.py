"""Quarantined rows as keys of silver. They are kept as received, so a key may be text, missing or unreadable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from evergreen.ports.dataset import Dataset

if TYPE_CHECKING:
    import pandas as pd


def keys_of(frames: Iterable[pd.DataFrame], about: Dataset) -> pd.DataFrame:
    """Scope, entity and day of the rows that have them and are not of another scope, each key once."""
    import pandas as pd

    entity, day = about.entity_column, about.day_column
    names = [*about.scope, entity, day]
    parts = [_readable(rows, about) for rows in frames if {entity, day} <= set(rows.columns)]
    keys = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[entity, day])
    typed = keys.assign(**about.scope)[names].astype({name: about.columns[name] for name in names})
    return typed.drop_duplicates(ignore_index=True)


def _readable(rows: pd.DataFrame, about: Dataset) -> pd.DataFrame:
    import pandas as pd

    entity, day = about.entity_column, about.day_column
    days = pd.to_datetime(rows[day].astype("str"), errors="coerce", utc=True, format="ISO8601").dt.tz_localize(None).dt.normalize()
    own = rows[entity].notna() & days.notna()
    for name, value in about.scope.items():
        if name in rows.columns:
            own &= rows[name].isna() | (rows[name].astype("str") == value)
    return pd.DataFrame({entity: rows[entity].astype("str"), day: days.astype("datetime64[us]")})[own]
