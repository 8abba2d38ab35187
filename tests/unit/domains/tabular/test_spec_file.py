"""A spec with a mistake is refused with the line and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from evergreen.core.errors import NotFound, SpecRefused
from evergreen.domains.tabular.declared import Category, Number
from evergreen.domains.tabular.folder import declared_model, declared_models
from evergreen.domains.tabular.spec import tabular_spec
from evergreen.domains.tabular.spec_file import parse_spec, refuse_name
from evergreen.domains.tabular.spec_text import template

WHOLE = """name = "flats"
kind = "regression"
segments = "district"

[time]
column = "Sold at"
name = "sold_at"

[target]
column = "price"

[entity]
column = "listing_id"

[numbers.area]
column = "Area (m2)"
min = 0
max = 1000
nulls = 0.1
required = true

[categories.district]
values = ["north", "south"]

[categories.rooms]
values = "whole numbers"
drift = false
"""


def test_a_whole_spec_says_all_it_declares() -> None:
    declared = parse_spec(WHOLE, folder="flats")
    assert declared.dataset == "flats.rows"
    assert declared.features == ("area", "district", "rooms")
    assert declared.numbers == (Number("area", "Area (m2)", 0.1, required=True, low=0.0, high=1000.0),)
    assert declared.categories[1] == Category("rooms", "rooms", whole=True, drift=False)
    assert (declared.entity.name, declared.hashed, declared.segments) == ("listing_id", False, "district")
    assert declared.season is None


@pytest.mark.parametrize(("season", "told"), [("weekday", "weekday of day"), ("hour", "hour of at"), ("month", "month of day")])
def test_a_season_is_of_the_day_or_of_the_hour(season: str, told: str) -> None:
    declared = parse_spec(f'season = "{season}"\n{WHOLE}', folder="flats")
    assert str(tabular_spec(declared).season) == told


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_the_templates_are_whole(kind: str) -> None:
    assert parse_spec(template("flats", kind), folder="flats").kind == kind


MISTAKES = {
    "kind": ('kind = "regression"', 'kind = "ranking"', 2, "write regression"),
    "not TOML": ("[time]", "[time", 5, "is not TOML"),
    "no target": ('[target]\ncolumn = "price"', "", 1, "write [target]"),
    "leak": ('column = "Area (m2)"', 'column = "price"', 16, "learns nothing"),
    "leak by name": ("[numbers.area]", "[numbers.price]", 16, "learns nothing"),
    "own name": ("[numbers.area]", "[numbers.day]", 15, "uses itself"),
    "a name that climbs": ("[numbers.area]", '[numbers."../area"]', 15, "cannot be a name"),
    "name with capitals": ('name = "sold_at"', 'name = "Sold at"', 7, "cannot be a name"),
    "another name than the folder": ('name = "flats"', 'name = "houses"', 1, "must be the same"),
    "range": ("max = 1000", "max = -1", 18, "the larger one"),
    "range of text": ("min = 0", 'min = "0"', 17, "must be a number"),
    "nulls": ("nulls = 0.1", "nulls = 10", 19, "from 0 to 1"),
    "flag": ("required = true", 'required = "yes"', 20, "true or false"),
    "unknown key": ("required = true", "compulsory = true", 20, "known are"),
    "unknown section": ("[time]", "[extra]\na = 1\n[time]", 5, "known are"),
    "values": ('values = ["north", "south"]', "values = []", 23, "write values"),
    "values twice": ('values = ["north", "south"]', 'values = ["north", "north"]', 23, "different texts"),
    "segments": ('segments = "district"', 'segments = "area"', 3, "one of the categories"),
    "season": ('segments = "district"', 'season = "sunday"', 3, "write weekday, hour or month"),
    "daily": ('segments = "district"', 'daily = "yes"', 3, "true or false"),
    "classes of a number": ('column = "price"', 'column = "price"\nclasses = ["a", "b"]', 11, "has no classes"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_its_line_and_the_remedy(mistake: str) -> None:
    right, wrong, line, remedy = MISTAKES[mistake]
    assert right in WHOLE
    with pytest.raises(SpecRefused) as refused:
        parse_spec(WHOLE.replace(right, wrong, 1), folder="flats")
    assert f"line {line}" in str(refused.value), refused.value
    assert remedy in str(refused.value), refused.value


@pytest.mark.parametrize(
    ("classes", "remedy"), [("", "write classes"), ('["a"]', "write classes"), ('["a", "b", "c"]', "only two are known"), ("[0, 1]", "as texts")]
)
def test_two_classes_and_no_more(classes: str, remedy: str) -> None:
    text = WHOLE.replace('"regression"', '"classification"').replace(
        'column = "price"', f'column = "price"\nclasses = {classes}' if classes else 'column = "price"'
    )
    with pytest.raises(SpecRefused, match=remedy):
        parse_spec(text, folder="flats")


@pytest.mark.parametrize("name", ["../flats", "Flats", "9lives", "", "a" * 64, "video_performance", "videos", "movies_new"])
def test_what_cannot_be_a_models_name_is_refused(name: str) -> None:
    with pytest.raises(SpecRefused):
        refuse_name(name)


def test_a_broken_spec_leaves_the_other_models_alone(tmp_path: Path) -> None:
    for name, text in {"flats": WHOLE, "broken": "kind = 1", "empty": ""}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "spec.toml").write_text(text)
    assert [declared.name for declared in declared_models(tmp_path)] == ["flats"]
    assert declared_model(tmp_path, "flats").name == "flats"
    with pytest.raises(SpecRefused):
        declared_model(tmp_path, "broken")
    with pytest.raises(NotFound, match="no model"):
        declared_model(tmp_path, "../flats")
