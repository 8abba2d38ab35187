"""What a domain says about its data: one `Dataset` per feed, e.g. `videos.KR`. Ingest, index and the lake know nothing else of a domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.contracts.events import QualityFinding
    from evergreen.core.severity import Severity


@dataclass(frozen=True)
class Checked:
    """A received batch, told apart. Every received row is in exactly one of the two frames."""

    clean: pd.DataFrame
    """Rows fit for silver: the dataset's columns and types, one per key."""
    quarantined: pd.DataFrame
    """The others as received, with the text column `reason`."""
    findings: tuple[QualityFinding, ...] = ()
    severity: Severity | None = None
    """Of the worst finding; None without one."""


@dataclass(frozen=True)
class OnlineFeatures:
    """What serving is told of an entity when a request brings no features."""

    entity: str
    features: Mapping[str, Any]
    """JSON values by feature or fact name; a name that is absent is not known."""
    day: date
    """List day of the newest value."""


@dataclass(frozen=True)
class GoldTable:
    build: Callable[[pd.DataFrame], pd.DataFrame]
    """All silver rows of the dataset up to a day -> the table. Holds the day column and the scope's columns."""
    first_rows: bool = False
    """One row per entity at its first day: entities whose first row was set aside are left out of the rows it is built from."""
    looks_ahead: int = 0
    """How many earlier days a new day may still change (labels that wait for the days after)."""


@dataclass(frozen=True)
class People:
    """Whose rows they are: of who was forgotten, serving is told nothing that was before."""

    column: str
    at: str
    """Instant of the row."""


@dataclass(frozen=True)
class Dataset:
    name: str
    """As in events and `ModelSpec.datasets`."""
    table: str
    """Silver table; several datasets may share one."""
    scope: Mapping[str, str]
    """Column -> value that picks this dataset's rows out of its tables, e.g. {"region": "KR"}. They partition the tables."""
    columns: Mapping[str, str]
    """Silver columns and their pandas types; the only naive datetime columns are days."""
    key: tuple[str, ...]
    day_column: str
    """Day of the row (naive midnight, read as UTC)."""
    entity_column: str
    validate: Callable[[pd.DataFrame, date], Checked]
    """(received, last day that may be known). Never raises over a value: a frame that is not in the dataset's schema is all quarantined."""
    gold: Mapping[str, GoldTable]
    online: Callable[[pd.DataFrame, Sequence[str]], Sequence[OnlineFeatures]]
    """(all silver rows, entities) -> feature store entries of those entities and of what they refer to (channels)."""
    catalogue: Callable[[pd.DataFrame], Sequence[Mapping[str, Any]]]
    """Silver rows -> rows of table `videos`, newest values per entity; () for a dataset without a catalogue."""
    seen: bool = True
    """Whether its entities belong in the index of what was lately seen."""
    daily: bool = True
    """Whether rows are expected every day: only then is a day without any, or with few, worth a word."""
    people: People | None = None
    """None: its rows are nobody's."""
