"""Reading a `spec.toml`.

Guarantee: what is returned is whole and free of contradictions. Failure: a mistake in the file. Remedy: `SpecRefused` names the file, the line
and what to write instead; the other models of the home are not concerned."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from evergreen.core.errors import SpecRefused
from evergreen.domains.tabular.declared import FILE, MAX_CATEGORIES, MAX_FEATURES, NAME, OWN, By, Category, Column, Declared, Number
from evergreen.domains.tabular.toml_lines import line_of

_TAKEN = re.compile(r"(videos?|movies?)(_.*)?")
"""Models and tables of the domains that are code."""
_TOP = frozenset({"name", "kind", "segments", "daily", "season", "time", "target", "entity", "numbers", "categories"})
_KNOBS = frozenset({"gates", "windows", "rollout", "search"})


def read_spec(path: Path) -> Declared:
    """Raises SpecRefused."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecRefused(f"{path}: cannot be read: {error}") from error
    return parse_spec(text, folder=path.parent.name, shown=f"{path.parent.name}/{path.name}")


def parse_spec(text: str, *, folder: str, shown: str = FILE) -> Declared:
    """`folder`: the name of the folder the file lies in, which is the model's. Raises SpecRefused."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecRefused(f"{shown}: is not TOML: {error}") from error
    return _Reader(said, text, shown).declared(folder)


class _Reader:
    def __init__(self, said: Mapping[str, Any], text: str, shown: str) -> None:
        self._said = said
        self._text = text
        self._shown = shown

    def declared(self, folder: str) -> Declared:
        self._only(self._said, _TOP | _KNOBS, "")
        name = self._name(folder)
        kind = self._said.get("kind")
        if kind not in ("regression", "classification"):
            raise self._fault("", "kind", f"kind is {kind!r}: write regression (a number is predicted) or classification (the chance of one of two classes)")
        time, target = self._column("time", {"column", "name", "format"}), self._column("target", {"column", "name", "classes"})
        hashed = "entity" not in self._said
        entity = Column("entity", "entity") if hashed else self._column("entity", {"column", "name"})
        numbers = tuple(self._number(one) for one in self._table("numbers"))
        categories = tuple(self._category(one) for one in self._table("categories"))
        self._told_apart(time, target, entity, [*numbers, *categories])
        return Declared(
            name=name,
            kind=kind,
            time=time,
            time_format=self._text_of("time", "format"),
            target=target,
            classes=self._classes(kind),
            entity=entity,
            hashed=hashed,
            numbers=numbers,
            categories=categories,
            segments=self._segments(categories),
            daily=self._daily(),
            season=self._season(),
            **self._knobs(),
        )

    def _knobs(self) -> dict[str, Any]:
        """The loop's numbers that are written. Most files write none, and a serving worker then loads no reader of them."""
        if not self._said.keys() & _KNOBS:
            return {}
        from evergreen.domains.tabular.spec_knobs import read_all

        return read_all(self._said, self._fault)

    def _name(self, folder: str) -> str:
        name = self._said.get("name")
        if name != folder:
            raise self._fault("", "name", f"name is {name!r}, the folder's is {folder!r}: they must be the same")
        refuse_name(folder, f"{self._shown}, line {line_of(self._text, '', 'name')}: ")
        return folder

    def _column(self, section: str, known: set[str]) -> Column:
        table = self._said.get(section)
        if not isinstance(table, dict) or not isinstance(table.get("column"), str) or not table["column"]:
            raise self._fault(section, "column", f'write [{section}] and below it column = "HEADER", the name the data\'s header has for it')
        self._only(table, known, section)
        name = table.get("name", table["column"])
        if not isinstance(name, str) or NAME.fullmatch(name) is None or name in OWN:
            raise self._fault(section, "name", _bad_name(name, section))
        return Column(name, table["column"])

    def _table(self, section: str) -> Mapping[str, Any]:
        table = self._said.get(section, {})
        if not isinstance(table, dict) or not all(isinstance(value, dict) for value in table.values()):
            raise self._fault(section, "", f"write each feature as its own table: [{section}.NAME]")
        return table

    def _feature(self, section: str, name: str, known: set[str]) -> dict[str, Any]:
        table, place = self._said[section][name], f"{section}.{name}"
        self._only(table, known | {"column", "nulls", "required", "drift"}, place)
        if NAME.fullmatch(name) is None or name in OWN:
            raise self._fault(place, "", _bad_name(name, place))
        column, nulls = table.get("column", name), table.get("nulls", 0.0)
        if not isinstance(column, str) or not column:
            raise self._fault(place, "column", "column must be a text: the name the data's header has for it")
        if not _is_number(nulls) or not 0 <= nulls <= 1:
            raise self._fault(place, "nulls", "nulls is the usual share of rows without a value: write a number from 0 to 1")
        for flag in ("required", "drift"):
            if not isinstance(table.get(flag, True), bool):
                raise self._fault(place, flag, f"{flag} must be true or false")
        return {"name": name, "column": column, "nulls": float(nulls), "required": table.get("required", False), "drift": table.get("drift", True)}

    def _number(self, name: str) -> Number:
        table, place = self._said["numbers"][name], f"numbers.{name}"
        feature = self._feature("numbers", name, {"min", "max"})
        low, high = table.get("min"), table.get("max")
        for key, bound in (("min", low), ("max", high)):
            if bound is not None and not _is_number(bound):
                raise self._fault(place, key, f"{key} must be a number, or be left out")
        if low is not None and high is not None and low >= high:
            raise self._fault(place, "max", f"max is {high}, min is {low}: the larger one must be max")
        return Number(**feature, low=None if low is None else float(low), high=None if high is None else float(high))

    def _category(self, name: str) -> Category:
        values, place = self._said["categories"][name].get("values"), f"categories.{name}"
        feature = self._feature("categories", name, {"values"})
        if values == "whole numbers":
            return Category(**feature, whole=True)
        if not isinstance(values, list) or not values or not all(isinstance(value, str) and value for value in values):
            raise self._fault(place, "values", 'write values = ["a", "b"] (any other value is `other`), or values = "whole numbers"')
        if len(values) > MAX_CATEGORIES or len(set(values)) < len(values):
            raise self._fault(place, "values", f"values must be at most {MAX_CATEGORIES} different texts: leave rare ones out, they become `other`")
        return Category(**feature, values=tuple(values))

    def _classes(self, kind: str) -> tuple[str, ...]:
        classes = self._said["target"].get("classes")
        if kind == "regression":
            if classes is not None:
                raise self._fault("target", "classes", 'a regression has no classes: remove the line, or write kind = "classification"')
            return ()
        fit = isinstance(classes, list) and all(isinstance(one, str) and one for one in classes)
        if not fit or len(set(classes)) != len(classes) or len(classes) < 2:
            raise self._fault("target", "classes", 'write classes = ["no", "yes"] as the data has them, as texts; the chance of the second is predicted')
        if len(classes) > 2:
            raise self._fault("target", "classes", f"{len(classes)} classes: only two are known here; make it one against the others, or one model per class")
        return tuple(classes)

    def _segments(self, categories: tuple[Category, ...]) -> str | None:
        segments = self._said.get("segments")
        if segments is not None and segments not in {one.name for one in categories}:
            raise self._fault("", "segments", f"segments is {segments!r}: it must be one of the categories, or be left out")
        return segments

    def _daily(self) -> bool:
        daily = self._said.get("daily", False)
        if not isinstance(daily, bool):
            raise self._fault("", "daily", "daily says whether rows come every day: write true or false")
        return daily

    def _season(self) -> By | None:
        season = self._said.get("season")
        for known in get_args(By):
            if season == known:
                return known  # type: ignore[no-any-return]
        if season is None:
            return None
        raise self._fault("", "season", f"season is {season!r}: write {', '.join(get_args(By)[:-1])} or {get_args(By)[-1]}, or leave it out")

    def _told_apart(self, time: Column, target: Column, entity: Column, features: list[Number | Category]) -> None:
        if not features:
            raise self._fault("", "", "no feature is declared: write at least one [numbers.NAME] or [categories.NAME]")
        if len(features) > MAX_FEATURES:
            raise self._fault("", "", f"{len(features)} features, at most {MAX_FEATURES} are taken: leave out what matters least")
        places = [("time", time), ("target", target), ("entity", entity)]
        places += [(f"{'numbers' if isinstance(one, Number) else 'categories'}.{one.name}", one) for one in features]
        for at, (place, one) in enumerate(places):
            for other, earlier in places[:at]:
                if one.name == earlier.name or one.column == earlier.column:
                    leak = ": a model that is told the answer learns nothing" if other == "target" else ""
                    raise self._fault(place, "column", f"[{place}] and [{other}] are the same column {one.column!r}{leak}; remove or rename one of them")

    def _text_of(self, section: str, key: str) -> str | None:
        value = self._said[section].get(key)
        if value is not None and not isinstance(value, str):
            raise self._fault(section, key, f"{key} must be a text")
        return value

    def _only(self, table: Mapping[str, Any], known: set[str] | frozenset[str], section: str) -> None:
        for key in table:
            if key not in known:
                raise self._fault(section, key, f"{key!r} means nothing here: known are {', '.join(sorted(known))}")

    def _fault(self, section: str, key: str, said: str) -> SpecRefused:
        return SpecRefused(f"{self._shown}, line {line_of(self._text, section, key)}: {said}")


def refuse_name(name: str, prefix: str = "") -> None:
    """Raises SpecRefused for what cannot be a model's name."""
    if NAME.fullmatch(name) is None:
        raise SpecRefused(f"{prefix}{name!r} is no model name: small letters, digits and _, a letter first, at most 63")
    if _TAKEN.fullmatch(name):
        raise SpecRefused(f"{prefix}the name {name!r} is taken by this product's own models: choose another, such as my_{name}"[:300])


def _bad_name(name: object, place: str) -> str:
    if name in OWN:
        return f'{name!r} is a name this product uses itself: add name = "other_name" (the header stays as column)'
    return f"{name!r} cannot be a name: small letters, digits and _, a letter first; keep the header's own spelling as column in [{place}] and add a name"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value and abs(value) < float("inf")
