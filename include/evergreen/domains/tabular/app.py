"""What an application that uses a declared model sends: a prediction asked for when a row is first known, its true outcome later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evergreen.domains.tabular.declared import Declared
from evergreen.domains.tabular.row import DAY

if TYPE_CHECKING:
    import pandas as pd


class TabularApp:
    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self._shown: set[str] = set()

    def first_listed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of entities not in an earlier call that are fit for silver, as silver has them."""
        from evergreen.domains.tabular.coerce import coerced
        from evergreen.domains.tabular.quality import validate

        days = coerced(rows, self._declared)[DAY].dropna()
        if days.empty:
            return rows.iloc[:0]
        entity = self._declared.entity.name
        clean = validate(rows, days.max().date(), self._declared).clean.drop_duplicates(entity)
        fresh = clean[~clean[entity].isin(self._shown)].reset_index(drop=True)
        self._shown.update(fresh[entity])
        return fresh

    def request(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {self._declared.entity.name: row[self._declared.entity.name], **{name: _known(row[name]) for name in self._declared.features}}

    def outcome(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """None where the data holds no target: then there is nothing to tell."""
        declared = self._declared
        label = _known(row[declared.target.name])
        if label is None:
            return None
        said = declared.classes[int(label)] if declared.classes else float(label)
        return {"model": declared.name, "entity": row[declared.entity.name], "outcome": {declared.target.name: said}}


def _known(value: Any) -> Any:
    return value if isinstance(value, str) else None if value is None or value != value else float(value)
