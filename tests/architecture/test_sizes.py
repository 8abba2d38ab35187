"""Small files, small functions, DAG files that are tables of contents."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

from evergreen.environment import CHECKOUT

FILE_LINES = 250
FUNCTION_LINES = 40
DAG_LINES = 60
TEST_FILE_LINES = 400  # one suite, many cases
LONGER_FILES: dict[str, str] = {}
"""Path -> why it may be longer. Keep it short."""
LONGER_FUNCTIONS: dict[str, str] = {}
"""`path:function` -> why."""


def sources() -> list[Path]:
    """Every Python file of the checkout that is not ignored: committed or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [CHECKOUT / name for name in sorted(listed) if (CHECKOUT / name).is_file()]


def name_of(file: Path) -> str:
    return file.relative_to(CHECKOUT).as_posix()


def limit_of(file: Path) -> int:
    return {"dags": DAG_LINES, "tests": TEST_FILE_LINES}.get(name_of(file).split("/")[0], FILE_LINES)


def test_there_is_something_to_measure() -> None:
    assert len(sources()) > 100


@pytest.mark.parametrize("file", sources(), ids=name_of)
def test_files_and_functions_stay_short(file: Path) -> None:
    text = file.read_text()
    assert name_of(file) in LONGER_FILES or len(text.splitlines()) <= limit_of(file)
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {f"{name_of(file)}:{node.name}": lines for node in functions if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES}
    assert not {name: lines for name, lines in long.items() if name not in LONGER_FUNCTIONS}


def test_the_lists_of_exceptions_name_what_is_still_too_long() -> None:
    for name in LONGER_FILES:
        assert len((CHECKOUT / name).read_text().splitlines()) > limit_of(CHECKOUT / name), f"{name} needs no exception any more"
    for name in LONGER_FUNCTIONS:
        path, function = name.split(":")
        found = [node for node in ast.walk(ast.parse((CHECKOUT / path).read_text())) if isinstance(node, ast.FunctionDef) and node.name == function]
        assert any((node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES for node in found), f"{name} needs no exception any more"
