"""What must not stand in any file: this machine's paths, a package registry's host, a second reader of the environment or the clock."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from evergreen.environment import CHECKOUT

NOT_OURS = {"deploy/compose/compose-spec.schema.json", "LICENSE"}
MACHINE_PATH = re.compile(r"(?<![\w.$}])/(?:work|root|home/[a-z]+|Users/[A-Za-z]+)/|[A-Z]:\\Users|\.\./shar" + "ed")
# Put together from parts, so that this file does not name one itself.
REGISTRY = re.compile(
    "|".join(
        [r"pypi\." + "org", r"pythonhosted\." + "org", r"repo1?\.maven\." + "org", r"registry\.npmjs\." + "org", r"index-" + "url", r"conda\." + "anaconda"]
    )
)
CLOCK_AND_ENVIRONMENT = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "os.environ", "os.getenv"}
READERS = {"include/evergreen/core/clock.py", "include/evergreen/environment.py"}


def committed(pattern: str = "*") -> list[Path]:
    """Files of the checkout that are not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [CHECKOUT / name for name in sorted(listed) if name not in NOT_OURS and (CHECKOUT / name).is_file()]


def name_of(file: Path) -> str:
    return file.relative_to(CHECKOUT).as_posix()


def dotted(node: ast.Attribute) -> str:
    """`a.b.c` -> "b.c": the last two names of an attribute chain."""
    inner = node.value
    owner = inner.id if isinstance(inner, ast.Name) else inner.attr if isinstance(inner, ast.Attribute) else ""
    return f"{owner}.{node.attr}"


def test_no_file_names_a_path_of_a_machine_or_a_package_registry() -> None:
    found = {}
    for file in committed():
        text = file.read_text(errors="replace")
        hits = [match[0] for pattern in (MACHINE_PATH, REGISTRY) for match in pattern.finditer(text)]
        if hits:
            found[name_of(file)] = hits[:3]
    assert found == {}


@pytest.mark.parametrize("line", ["see " + "/".join(["", *path]) for path in (("work", "x"), ("root", ".cache"), ("home", "kim", "data"))])
def test_the_rule_sees_what_it_should(line: str) -> None:
    assert MACHINE_PATH.search(line)


@pytest.mark.parametrize("line", ["/var/lib/evergreen/data", "{home}/work/x", "https://example.org/" + "root/"])
def test_the_rule_leaves_the_rest_alone(line: str) -> None:
    assert not MACHINE_PATH.search(line)


def test_one_module_reads_the_environment_and_one_the_clock() -> None:
    found: dict[str, set[str]] = {}
    for file in committed("*.py"):
        name = name_of(file)
        if name in READERS or name.startswith("tests/"):
            continue
        used = {dotted(node) for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Attribute)} & CLOCK_AND_ENVIRONMENT
        if used:
            found[name] = used
    assert found == {}


def test_nothing_of_the_input_data_is_in_the_repository() -> None:
    assert not [name_of(file) for file in committed() if file.suffix in {".parquet", ".csv", ".zip", ".gz", ".pkl", ".skops"}]
