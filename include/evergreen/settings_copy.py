"""Checked settings, remembered for the next start of the same process: pydantic and its models take longer to import than a worker may take to start.

Guarantee: what comes back is what `load_settings` gave for the very same environment, stack file and release (all three are hashed into the
key), attribute by attribute, secrets still hidden. Failure: anything differs, or the file is broken. Remedy: the settings are loaded and checked as
always, and remembered anew. The file is as secret as the stack file beside it (0600)."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from evergreen.environment import CHECKOUT, chosen_home, given_settings, stack_env_file

if TYPE_CHECKING:
    from evergreen.settings import Settings

_SOURCES = Path(__file__).parent


class Secret:
    """As pydantic's: it shows itself only when asked."""

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret('**********')" if self._value else "Secret('')"


_MAKERS: Mapping[str, Callable[[Any], Any]] = {
    "$secret": Secret,
    "$path": Path,
    "$seconds": lambda seconds: timedelta(seconds=seconds),
    "$time": time.fromisoformat,
}


def remembered_settings(name: str) -> Settings:
    """The settings of this home, for readers of fields: a copy has no methods. `name`: of the process, one file each."""
    home = (chosen_home() or CHECKOUT / ".evergreen").resolve()
    file, key = home / "run" / f"{name}.settings.json", _key(home)
    try:
        said = json.loads(file.read_bytes())
        if said["key"] == key:
            return cast("Settings", _thawed(said["settings"]))
    except (OSError, ValueError, KeyError, TypeError):  # never written, half written, another form
        pass
    from evergreen.settings import load_settings

    settings = load_settings(home)
    _remember(file, {"key": key, "settings": _frozen(settings)})
    return settings


def whole_settings(settings: Settings) -> Settings:
    """With methods and all, for who has the time: the very settings where they are no copy."""
    from evergreen.settings import Settings as Loaded
    from evergreen.settings import load_settings

    return settings if isinstance(settings, Loaded) else load_settings(settings.home)


def secrets_in(copy: object) -> list[str]:
    """Every secret's value, of settings and of their copy."""
    if hasattr(copy, "get_secret_value"):
        return [value] if (value := copy.get_secret_value()) else []
    if isinstance(copy, dict):
        return [secret for inner in copy.values() for secret in secrets_in(inner)]
    fields = vars(copy) if hasattr(copy, "__dict__") and not isinstance(copy, Path) else {}
    return [secret for name, inner in fields.items() if not name.startswith("_") for secret in secrets_in(inner)]


def _key(home: Path) -> str:
    stack = stack_env_file(home)
    release = [(file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in sorted(_SOURCES.glob("settings*.py"))]
    said = [sorted(given_settings().items()), stack.read_text() if stack.is_file() else "", str(home), release]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _remember(file: Path, said: dict[str, Any]) -> None:
    try:
        with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=f".{file.name}-", delete=False) as written:  # 0600
            json.dump(said, written)
        os.replace(written.name, file)
    except OSError:  # a home that cannot be written to: the next start takes as long as this one
        return


def _frozen(value: Any) -> Any:
    if hasattr(value, "get_secret_value"):
        return {"$secret": value.get_secret_value()}
    if hasattr(type(value), "model_fields"):
        return {"$group": {name: _frozen(getattr(value, name)) for name in type(value).model_fields}}
    if isinstance(value, dict):
        return {"$map": [[_frozen(key), _frozen(inner)] for key, inner in value.items()]}
    if isinstance(value, list | tuple):
        return {"$tuple": [_frozen(inner) for inner in value]}
    if isinstance(value, Path):
        return {"$path": str(value)}
    if isinstance(value, timedelta):
        return {"$seconds": value.total_seconds()}
    if isinstance(value, time):
        return {"$time": value.isoformat()}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"a setting of type {type(value).__name__} has no copy: teach {__name__}")


def _thawed(said: Any) -> Any:
    if not isinstance(said, dict):
        return said
    [(tag, value)] = said.items()
    if tag == "$group":
        return SimpleNamespace(**{name: _thawed(inner) for name, inner in value.items()})
    if tag == "$map":
        return {_thawed(key): _thawed(inner) for key, inner in value}
    if tag == "$tuple":
        return tuple(_thawed(inner) for inner in value)
    return _MAKERS[tag](value)
