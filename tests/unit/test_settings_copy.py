"""A worker's remembered settings: the same values, until anything they come from changes."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from evergreen.environment import stack_env_file
from evergreen.settings import load_settings
from evergreen.settings_copy import Secret, remembered_settings, secrets_in, whole_settings

FILE = "run/worker.settings.json"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path))
    monkeypatch.setenv("EVERGREEN_REDIS__URL", "redis://:hush@127.0.0.1:1/0")
    monkeypatch.setenv("EVERGREEN_NOTIFY__CHANNELS", '{"ops": {"kind": "webhook", "url": "https://example.org/secret-path"}}')
    (tmp_path / "run").mkdir()
    return tmp_path


def plain(value: Any) -> Any:
    """Both forms as the same plain values."""
    if hasattr(value, "get_secret_value"):
        return ("secret", value.get_secret_value())
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return {name: plain(inner) for name, inner in vars(value).items()} if type(value).__name__ == "SimpleNamespace" else value


def test_the_second_start_reads_the_same_values_without_loading(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = remembered_settings("worker")
    monkeypatch.setattr("evergreen.settings.load_settings", lambda _home: pytest.fail("loaded again"))
    again = remembered_settings("worker")
    assert plain(again) == plain(first)
    assert again.home == home
    assert isinstance(again.redis.url, Secret)
    assert "hush" not in repr(again)
    assert stat.S_IMODE((home / FILE).stat().st_mode) == 0o600


def test_secrets_are_found_in_both_forms(home: Path) -> None:
    loaded, copied = remembered_settings("worker"), remembered_settings("worker")
    assert set(secrets_in(loaded)) == set(secrets_in(copied))
    assert {"redis://:hush@127.0.0.1:1/0", "https://example.org/secret-path"} <= set(secrets_in(copied))


@pytest.mark.parametrize("change", ["environment", "stack", "broken", "cut"])
def test_whatever_changes_they_are_loaded_again(home: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    remembered_settings("worker")
    if change == "environment":
        monkeypatch.setenv("EVERGREEN_SERVING__PORT", "9001")
    elif change == "stack":
        stack_env_file(home).write_text("EVERGREEN_SERVING__PORT=9001\n")
    else:
        (home / FILE).write_bytes(b"{" if change == "cut" else b'{"key": 1}')
    assert remembered_settings("worker").serving.port == load_settings(home).serving.port
    assert remembered_settings("worker").serving.port == (9001 if change in {"environment", "stack"} else 8000)


def test_who_needs_the_methods_gets_the_settings_themselves(home: Path) -> None:
    loaded, copied = remembered_settings("worker"), remembered_settings("worker")
    assert whole_settings(loaded) is loaded
    assert whole_settings(copied).data_dir == loaded.data_dir


def test_a_home_that_cannot_be_written_to_is_no_error(home: Path) -> None:
    (home / "run").rmdir()
    assert remembered_settings("worker").home == home
