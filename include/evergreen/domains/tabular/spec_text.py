"""A spec file's text: of inspected data, or a template with everything that may be said."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from slugify import slugify

from evergreen.domains.tabular.declared import OWN

_RESERVED = OWN | {"entity"}


class NumberLines(NamedTuple):
    column: str
    low: float
    high: float
    nulls: float


class CategoryLines(NamedTuple):
    column: str
    values: Sequence[str]
    nulls: float


@dataclass
class SpecText:
    name: str
    kind: str
    time: str
    time_format: str | None
    target: str
    classes: tuple[str, ...]
    entity: str | None
    numbers: dict[str, NumberLines] = field(default_factory=dict)
    categories: dict[str, CategoryLines] = field(default_factory=dict)
    daily: bool = False
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """(column, why)."""

    @property
    def named(self) -> dict[str, str]:
        """Names of the columns that are no features, by column."""
        found: dict[str, str] = {}
        for column in (self.time, self.target, *([self.entity] if self.entity else [])):
            found.setdefault(column, name_for(column, found.values()))
        return found

    @property
    def names(self) -> set[str]:
        return {*self.named.values(), *self.numbers, *self.categories}

    def render(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield f"# What {self.name} is made of. Every line may be changed; `evergreen new-model {self.name} --check` says whether it still fits."
        yield f"name = {_text(self.name)}"
        yield f"kind = {_text(self.kind)}"
        yield f"daily = {'true' if self.daily else 'false'}   # whether a day without rows is worth a word"
        yield '# segments = "CATEGORY"   # no group of rows may become worse than the others'
        yield '# season = "weekday"   # or "hour", "month": drift is looked for among rows of the same one, so that a normal Sunday is none'
        yield from self._section("time", self.time)
        if self.time_format:
            yield f"format = {_text(self.time_format)}"
        yield from self._section("target", self.target)
        if self.classes:
            yield f"classes = {_texts(self.classes)}   # the chance of the second is predicted"
        if self.entity:
            yield from self._section("entity", self.entity)
        else:
            yield '\n# No column names a row: each is known by a hash of its cells. With one: [entity], column = "HEADER"'
        for name, number in self.numbers.items():
            yield f"\n[numbers.{name}]"
            yield from _column(name, number.column)
            yield f"min = {number.low:.6g}\nmax = {number.high:.6g}"
            yield from _nulls(number.nulls)
        for name, category in self.categories.items():
            yield f"\n[categories.{name}]"
            yield from _column(name, category.column)
            yield f"values = {_texts(category.values)}"
            yield from _nulls(category.nulls)
        yield "\n# Optional: [gates], [windows], [rollout], [search]; see docs/guides/bring-your-own-model.md"
        if self.left_out:
            yield "\n# Left out:"
        yield from (f"#   {_text(column)}: {' '.join(why.split())}" for column, why in self.left_out)

    def _section(self, section: str, column: str) -> Iterator[str]:
        yield f"\n[{section}]"
        yield f"column = {_text(column)}"
        if (name := self.named[column]) != column:
            yield f"name = {_text(name)}"


def name_for(column: str, taken: Collection[str]) -> str:
    """A header as a name: `Area (m²)` -> `area_m2`, `지역` -> `jiyeog`; a number is added where it is taken."""
    slug = slugify(column, separator="_", max_length=50)
    slug = slug if slug[:1].isalpha() else f"c_{slug}".rstrip("_")
    slug = f"{slug}_value" if slug in _RESERVED else slug
    name, number = slug, 2
    while name in taken:
        name, number = f"{slug}_{number}", number + 1
    return name


def template(name: str, kind: str) -> str:
    made = SpecText(name, kind, "sold_at", None, "price" if kind == "regression" else "sold", () if kind == "regression" else ("no", "yes"), "listing_id")
    made.numbers["area"] = NumberLines("Area (m2)", 0, 10_000, 0.02)
    made.categories["district"] = CategoryLines("district", ["north", "south"], 0.0)
    return made.render()


def readme(name: str, target: str, entity: str, source: str) -> str:
    return f"""# {name}

`spec.toml` is all there is to this model. After a change: `evergreen new-model {name} --check`, then start the stack again (`evergreen down`,
`evergreen up`); a running stack knows the models it was started with.

    evergreen load rows {name} {source}       # announce its days; what is in already changes nothing
    evergreen models train {name}             # the first version; the gates judge it
    evergreen replay-data {source} --model {name}   # or play the past on the replay clock
    evergreen models report {name}

Ask `POST /models/{name}/invocations` for predictions, with the column `{entity}` so that the outcome can be joined; tell the outcome with
`POST /feedback`: {{"model": "{name}", "entity": "…", "outcome": {{"{target}": …}}}}. See docs/guides/bring-your-own-model.md.
"""


def _column(name: str, column: str) -> Iterator[str]:
    if name != column:
        yield f"column = {_text(column)}"


def _nulls(nulls: float) -> Iterator[str]:
    if nulls:
        yield f"nulls = {nulls:g}"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _texts(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"
