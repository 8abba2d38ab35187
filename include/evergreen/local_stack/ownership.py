"""Whose a folder is, so that a home named by mistake costs nobody his data.

Guarantee: what a stack did not make is neither written into nor deleted. Failure: a home is a folder with other things of the same names
(`data`, `logs`). Remedy: a start leaves a mark that says what made the home; without it such a folder is refused, with what to do instead.
"""

from __future__ import annotations

import json
from typing import Literal

from evergreen.core.errors import StackError
from evergreen.environment import CHECKOUT
from evergreen.local_stack.home import Home

Maker = Literal["up", "demo", "test"]
OWNED = ("data", "airflow", "logs", "run")
"""Folders of a stack in its home."""
_OURS = "airflow_fernet_key"
"""Stands in the secrets of every home, also in those from before the mark."""


def maker(home: Home) -> str | None:
    """What made the home: `up`, `demo`, `test`; None where there is none yet. Raises `StackError` where the folder is somebody else's."""
    if home.mark_file.exists():
        return home.mark_file.read_text().strip() or "up"
    if home.manifest_file.exists() or _has_our_secrets(home):
        return "demo" if home.path == CHECKOUT / ".evergreen" / "demo" else "up"
    if theirs := [name for name in OWNED if _holds_something(home, name)] + [home.credentials_file.name] * home.credentials_file.exists():
        raise StackError(
            f"{home.path} holds {', '.join(theirs)} that no stack made: nothing was touched. Name another folder with --home or EVERGREEN_HOME; "
            f"if it is a home of Evergreen after all, say so with `touch {home.mark_file}`"
        )
    return None


def claim(home: Home, by: Maker) -> None:
    """Mark the home as a stack's, before anything is written into it. Who made it first stays."""
    made_by = maker(home)
    home.path.mkdir(parents=True, exist_ok=True)
    home.mark_file.write_text(made_by or by)


def refuse_to_reset(home: Home) -> None:
    """Raise `StackError` where a demo would delete what `make up` keeps."""
    if maker(home) == "up":
        raise StackError(
            f"{home.path} is the home of a stack that `make up` started, and a demo begins by deleting its home's data. Unset EVERGREEN_HOME "
            f"(the demo has a home of its own), name another folder with --home, or delete it yourself: `evergreen --home {home.path} clean`"
        )


def _has_our_secrets(home: Home) -> bool:
    try:
        return _OURS in json.loads(home.credentials_file.read_text())
    except (OSError, ValueError, TypeError):
        return False


def _holds_something(home: Home, name: str) -> bool:
    entry = home.path / name
    return entry.exists() and not (entry.is_dir() and not any(entry.iterdir()))
