"""What is declared of a model: its columns, and what may stand in them. Standard library alone, so that a serving worker pays nothing for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FILE = "spec.toml"
MAX_CATEGORIES = 200
MAX_FEATURES = 500
By = Literal["weekday", "hour", "month"]
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
OWN = frozenset({"day", "at", "month", "reason", "label", "prediction"})
"""Names of columns this product makes itself."""


@dataclass(frozen=True)
class Column:
    name: str
    """As features, requests and reports call it."""
    column: str
    """As the data's header calls it."""


@dataclass(frozen=True)
class Feature(Column):
    nulls: float = 0.0
    """Usual share without a value: much more on one day is an incident."""
    required: bool = False
    drift: bool = True
    """Whether it is watched."""


@dataclass(frozen=True)
class Number(Feature):
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Category(Feature):
    values: tuple[str, ...] = ()
    """Frozen: another value is `other`. Of whole numbers: empty, each is its own code."""
    whole: bool = False


@dataclass(frozen=True)
class Grid:
    """Settings of the trees a retrain may choose from."""

    values: Mapping[str, tuple[float, ...]]
    trials: int = 10
    seconds: float = 300.0


@dataclass(frozen=True)
class Declared:
    name: str
    kind: Literal["regression", "classification"]
    time: Column
    time_format: str | None
    """As `strptime` reads it; None: ISO 8601."""
    target: Column
    classes: tuple[str, ...]
    """(the other one, the one whose chance is predicted); empty for numbers."""
    entity: Column
    hashed: bool
    """No column names a row: each is known by a hash of its cells."""
    numbers: tuple[Number, ...]
    categories: tuple[Category, ...]
    segments: str | None = None
    daily: bool = False
    """Whether rows come every day."""
    season: By | None = None
    """What rows are told apart by before they are compared for drift."""
    gates: Mapping[str, float] = field(default_factory=dict)
    """What differs from the usual, by name (spec_knobs); the same of windows and rollout."""
    windows: Mapping[str, float] = field(default_factory=dict)
    rollout: Mapping[str, float] = field(default_factory=dict)
    search: Grid | None = None

    @property
    def dataset(self) -> str:
        return f"{self.name}.rows"

    @property
    def inputs(self) -> tuple[Feature, ...]:
        """In the model's order."""
        return (*self.numbers, *self.categories)

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.inputs)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Every column of the data that is looked at."""
        entity = () if self.hashed else (self.entity,)
        return (self.time, self.target, *entity, *self.inputs)
