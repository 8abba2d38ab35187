"""Databases of a home that was deleted by hand, at the place where the next home's would be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evergreen.local_stack import postgres
from evergreen.local_stack.context import new_context
from evergreen.local_stack.part import StackContext


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackContext:
    for name in ("EVERGREEN_HOME", "EVERGREEN_PORT_OFFSET"):
        monkeypatch.delenv(name, raising=False)
    away = tmp_path / "away"
    monkeypatch.setattr(postgres, "AWAY", away)
    monkeypatch.setattr(postgres, "data_folder", lambda context: away / context.home.digest / "postgres")
    monkeypatch.setattr(postgres, "service_account", lambda: None)
    monkeypatch.setattr(postgres, "_initdb", lambda _context, _account, folder, _password: (folder / "PG_VERSION").write_text("18, new"))
    made = new_context(tmp_path / "home", 700)
    made.home.make()
    return made


def cluster(context: StackContext, seconds_after_the_home: float) -> Path:
    file = postgres.data_folder(context) / "PG_VERSION"
    file.parent.mkdir(parents=True)
    file.write_text("18, old")
    at = context.home.credentials_file.stat().st_mtime + seconds_after_the_home
    os.utime(file, (at, at))
    return file


def test_what_an_earlier_home_left_is_set_aside_and_said(context: StackContext) -> None:
    file, said = cluster(context, -60), list[str]()
    postgres.prepare(context, said.append)
    assert file.read_text() == "18, new"
    [left] = [folder for folder in postgres.AWAY.iterdir() if ".left-" in folder.name]
    assert (left / "postgres" / "PG_VERSION").read_text() == "18, old"
    assert str(left) in said[0]


def test_a_homes_own_databases_stay(context: StackContext) -> None:
    file = cluster(context, 5)
    postgres.prepare(context, lambda _text: None)
    assert file.read_text() == "18, old"


def test_they_stay_too_when_the_home_was_given_another_secret_since(context: StackContext) -> None:
    file = cluster(context, -60)
    context.home.stamp_file("mlflow").write_text("3.17")
    postgres.prepare(context, lambda _text: None)
    assert file.read_text() == "18, old"
