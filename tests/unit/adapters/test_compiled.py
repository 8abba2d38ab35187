"""Compiled forms on disk: whole and ours, or made again."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from evergreen.adapters import artifacts, compiled
from evergreen.adapters.forest import Forest
from evergreen.adapters.forest_build import build_forest
from evergreen.core.errors import NotCompilable
from evergreen.ports.model import FittedModel

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def forest() -> Forest:
    table = pd.DataFrame({"x": np.linspace(0, 1, 90)})
    return build_forest({"primary": (HistGradientBoostingRegressor(max_iter=3).fit(table, table["x"]), ["x"])}, ["x"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "7"
    artifacts.save(made, FittedModel({"primary": HistGradientBoostingRegressor()}, {}), identity="tiny@7", key=KEY)
    return made


def test_what_was_written_is_read(folder: Path, forest: Forest) -> None:
    assert compiled.read(folder, KEY) is None
    compiled.write(folder, KEY, body=compiled.pack(forest))
    found = compiled.read(folder, KEY)
    assert found is not None
    assert found.one([0.5]) == forest.one([0.5])
    assert [file.name for file in folder.parent.iterdir() if file.name.startswith(".7-")] == []  # nothing half done is left


def test_any_flipped_byte_and_any_cut_makes_it_absent(folder: Path, forest: Forest) -> None:
    compiled.write(folder, KEY, body=compiled.pack(forest))
    file = compiled.compiled_file(folder)
    whole = file.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert compiled.read(folder, KEY) is None
        file.write_bytes(whole[:at])
        assert compiled.read(folder, KEY) is None
    file.write_bytes(whole)
    assert compiled.read(folder, bytes(32)) is None  # another home's


def test_the_form_of_another_version_under_the_same_number_is_absent(folder: Path, forest: Forest, tmp_path: Path) -> None:
    compiled.write(folder, KEY, body=compiled.pack(forest))
    artifacts.save(folder, FittedModel({"primary": HistGradientBoostingRegressor()}, {"other": 1}), identity="tiny@7", key=KEY)
    assert compiled.read(folder, KEY) is None


def test_a_signed_body_that_is_no_form_is_absent(folder: Path) -> None:
    for body in (b"", b"PK\x03\x04nothing", compiled.pack.__doc__.encode() if compiled.pack.__doc__ else b"x"):
        compiled.write(folder, KEY, body=body)
        assert compiled.read(folder, KEY) is None


def test_what_has_no_form_is_not_tried_again(folder: Path) -> None:
    compiled.write(folder, KEY, not_compilable="primary: treelite does not read a Thing")
    with pytest.raises(NotCompilable, match="a Thing"):
        compiled.read(folder, KEY)


def test_two_at_once_take_turns(folder: Path) -> None:
    inside, order = threading.Event(), []

    def second() -> None:
        with compiled.one_at_a_time(folder):
            order.append("second")

    with compiled.one_at_a_time(folder):
        waiting = threading.Thread(target=second)
        waiting.start()
        inside.wait(0.05)
        order.append("first")
    waiting.join(5)
    assert order == ["first", "second"]
