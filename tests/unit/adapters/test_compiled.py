"""Compiled forms on disk: whole and ours, or made again."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from evergreen.adapters import artifacts, compiled
from evergreen.adapters.forest import Forest
from evergreen.adapters.forest_build import build_forest
from evergreen.core.errors import NotCompilable
from evergreen.ports.model import ArrayForm, FittedModel

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
    assert compiled.read(folder, KEY, compiled.unpack) is None
    compiled.write(folder, KEY, body=compiled.pack(forest))
    found = compiled.read(folder, KEY, compiled.unpack)
    assert found is not None
    assert found.one([0.5]) == forest.one([0.5])
    assert [file.name for file in folder.parent.iterdir() if file.name.startswith(".7-")] == []  # nothing half done is left


def test_any_flipped_byte_and_any_cut_makes_it_absent(folder: Path, forest: Forest) -> None:
    compiled.write(folder, KEY, body=compiled.pack(forest))
    file = compiled.compiled_file(folder)
    whole = file.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert compiled.read(folder, KEY, compiled.unpack) is None
        file.write_bytes(whole[:at])
        assert compiled.read(folder, KEY, compiled.unpack) is None
    file.write_bytes(whole)
    assert compiled.read(folder, bytes(32), compiled.unpack) is None  # another home's


def test_the_form_of_another_version_under_the_same_number_is_absent(folder: Path, forest: Forest, tmp_path: Path) -> None:
    compiled.write(folder, KEY, body=compiled.pack(forest))
    artifacts.save(folder, FittedModel({"primary": HistGradientBoostingRegressor()}, {"other": 1}), identity="tiny@7", key=KEY)
    assert compiled.read(folder, KEY, compiled.unpack) is None


def test_a_signed_body_that_is_no_form_is_absent(folder: Path) -> None:
    for body in (b"", b"PK\x03\x04nothing", compiled.pack.__doc__.encode() if compiled.pack.__doc__ else b"x"):
        compiled.write(folder, KEY, body=body)
        assert compiled.read(folder, KEY, compiled.unpack) is None


def test_what_has_no_form_is_not_tried_again(folder: Path) -> None:
    compiled.write(folder, KEY, not_compilable="primary: treelite does not read a Thing")
    with pytest.raises(NotCompilable, match="a Thing"):
        compiled.read(folder, KEY, compiled.unpack)


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


def test_a_form_of_its_own_is_kept_the_same_way(folder: Path, forest: Forest) -> None:
    form = ArrayForm("nobody:asks", lambda arrays, card: DoubledHeads(arrays["factor"], card))
    assert compiled.read_version(folder, KEY, form) is None
    compiled.write(folder, KEY, body=compiled.pack_arrays({"factor": np.array([2.0])}))
    found = compiled.read_version(folder, KEY, form)
    assert found is not None
    assert found.score(np.array([[1.0], [4.0]])).tolist() == [2.0, 8.0]
    assert found.heads.one([3.0]) == {"primary": 6.0}
    assert compiled.read_version(folder, KEY, None) is None, "what was made in another form is made again"
    compiled.write(folder, KEY, not_compilable="too large")
    with pytest.raises(NotCompilable, match="too large"):
        compiled.read_version(folder, KEY, form)


class DoubledHeads:
    def __init__(self, factor: Any, card: Mapping[str, Any]) -> None:
        self._factor = float(factor[0])

    def one(self, row: Sequence[float]) -> dict[str, float]:
        return {"primary": self._factor * row[0]}

    def many(self, rows: Any) -> dict[str, Any]:
        return {"primary": self._factor * np.asarray(rows)[:, 0]}
