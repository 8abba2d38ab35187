"""Documents that name files name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evergreen.environment import CHECKOUT

DOCUMENT = CHECKOUT / "ARCHITECTURE.md"
PLANNED = "*planned*"
ROOTS = ("include/", "dags/", "plugins/", "policies/", "serving/", "dashboard/", "deploy/", "docs/", "tests/")
PAGES = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md"), *(CHECKOUT / "deploy").rglob("*.md")])
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def design_rows() -> list[str]:
    section = DOCUMENT.read_text().split("## Where each part of the original design documents lives")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ") and not line.startswith(("| design documents", "|---"))]


def paths_in(line: str) -> list[str]:
    return [word for word in _CODE.findall(line) if word.startswith(ROOTS) and " " not in word]


def name_of(row: str) -> str:
    return row.split("|")[1].strip().replace("`", "")


def test_the_table_opens_the_document() -> None:
    assert DOCUMENT.read_text().splitlines()[2] == "## Where each part of the original design documents lives"
    assert len(design_rows()) >= 26


@pytest.mark.parametrize("row", design_rows(), ids=name_of)
def test_what_a_row_names_exists_unless_it_is_planned(row: str) -> None:
    paths = paths_in(row.rstrip("|").rsplit("|", 1)[1])
    assert paths, "a row says where, in full"
    missing = [path for path in paths if not (CHECKOUT / path).exists()]
    if PLANNED not in row:
        assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_paths_and_links_of_a_page_exist(page: Path) -> None:
    text = "\n".join(line for line in page.read_text().splitlines() if PLANNED not in line)
    named = [path for path in paths_in(text) if "<" not in path and "*" not in path and "{" not in path]
    assert [path for path in named if not (CHECKOUT / path).exists()] == []
    links = [link for link in _LINK.findall(text) if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in links if not (page.parent / link).resolve().exists()] == []


def test_every_decision_record_is_listed_and_has_its_three_parts() -> None:
    folder = CHECKOUT / "docs" / "adr"
    listed = (folder / "README.md").read_text()
    records = sorted(file for file in folder.glob("[0-9]*.md"))
    assert records
    for record in records:
        assert f"({record.name})" in listed, f"{record.name} is not in docs/adr/README.md"
        for part in ("Status:", "## Context", "## Decision", "## Consequences"):
            assert part in record.read_text(), f"{record.name} has no {part}"
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))


def test_every_guide_and_runbook_can_be_found() -> None:
    start = (CHECKOUT / "README.md").read_text() + (CHECKOUT / "docs" / "runbooks" / "README.md").read_text()
    pages = [*(CHECKOUT / "docs" / "guides").glob("*.md"), *(CHECKOUT / "docs" / "runbooks").glob("[!R]*.md")]
    assert [page.name for page in pages if page.name not in start] == []
