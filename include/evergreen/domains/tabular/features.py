"""Silver rows as the model's table: one row per entity, at its first time; categories as their codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.domains.tabular.declared import Declared
from evergreen.domains.tabular.row import AT, DAY, code_of

if TYPE_CHECKING:
    import pandas as pd


def build_features(silver: pd.DataFrame, declared: Declared) -> pd.DataFrame:
    entity = declared.entity.name
    first = silver.sort_values([DAY, AT, entity], kind="stable").drop_duplicates(entity, keep="first")
    table = first[[entity, DAY, AT, declared.target.name, *(one.name for one in declared.numbers)]]
    codes = {one.name: _codes(first[one.name], declared, one.name) for one in declared.categories}
    return table.assign(**codes).reset_index(drop=True)


def _codes(column: pd.Series[str], declared: Declared, name: str) -> pd.Series[float]:
    import pandas as pd

    [category] = (one for one in declared.categories if one.name == name)
    code = code_of(category)
    known = {value: code(value) for value in column.dropna().unique().tolist()}
    return pd.Series(column.map(known).to_numpy(dtype="float64", na_value=float("nan")), index=column.index)
