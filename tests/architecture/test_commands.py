"""A document that tells somebody to run a command tells of a command that exists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from evergreen.environment import CHECKOUT

PAGES = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")])
PLANNED = "planned"
_CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
_EVERGREEN = re.compile(r"(?:^|[\s/])evergreen ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")
_MAKE = re.compile(r"(?:^|\s|·)make ([a-z][a-z-]*)")


@cache
def commands() -> Mapping[str, frozenset[str]]:
    """Command -> its own commands."""
    from typer.main import get_command

    from evergreen.cli import main

    main.register_commands()
    found = getattr(get_command(main.app), "commands", {})
    return {name: frozenset(getattr(command, "commands", {})) for name, command in found.items()}


@cache
def targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z][a-z-]*):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))


def code_of(page: Path) -> str:
    """Everything set as code, without the lines that speak of plans."""
    text = "\n".join(line for line in page.read_text().splitlines() if PLANNED not in line.lower())
    return "\n".join(block or span for block, span in _CODE.findall(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_commands_of_a_page_exist(page: Path) -> None:
    unknown = []
    for name, sub in _EVERGREEN.findall(code_of(page)):
        own = commands().get(name)
        if own is None or (sub and own and sub not in own):
            unknown.append(f"evergreen {name} {sub}".strip())
    unknown += [f"make {name}" for name in _MAKE.findall(code_of(page)) if name not in targets()]
    assert unknown == []


def test_the_makefile_has_what_people_and_scripts_rely_on() -> None:
    assert {"demo", "test", "test-fast", "up", "down", "status", "logs", "clean", "lint"} <= targets()
