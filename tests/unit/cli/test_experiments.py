"""`evergreen experiments` on a store in memory."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from evergreen.adapters.memory.store import MemoryStore
from evergreen.cli import context
from evergreen.cli.experiments import app
from evergreen.core.errors import NotFound
from tests.support.tiny import NAME
from tests.support.trying import Trying, people

CREATE = ["create", "diverse", "--model", NAME, "--challenger", "b:diversity=0.6,weight=2", "--share", "0.5", "--reason", "do people like it?"]


@pytest.fixture(autouse=True)
def trying(monkeypatch: pytest.MonkeyPatch) -> Trying:
    made = Trying(MemoryStore())
    made.versions()
    monkeypatch.setattr(context, "parts", lambda: SimpleNamespace(store=made.store, clock=made.clock, specs=made.specs))
    return made


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, list(arguments))


def said(*arguments: str) -> str:
    result = run(*arguments)
    if result.exception is not None:
        raise result.exception
    return result.output


def test_one_is_started_looked_at_and_stopped(trying: Trying) -> None:
    assert said("list") == "no experiments\n"
    made = json.loads(said(*CREATE, "--json"))
    assert (made["status"], made["share"], made["started_by"].split(":")[0]) == ("running", 0.5, "cli")
    assert [(one["name"], one["weight"], one["params"]) for one in made["variants"]] == [("control", 1.0, {}), ("b", 2.0, {"diversity": 0.6})]
    trying.counted(people(2_000, 200), people(4_000, 560))
    trying.step.look()
    shown = said("show", "diverse")
    assert "finished: b is better than control: +40.0%" in shown
    assert "diversity 0.6" in shown
    assert "the champion" in shown
    assert json.loads(said("show", "diverse", "--json"))["variants"][1]["verdict"] == "better"
    assert json.loads(said("stop", "diverse", "--reason", "enough", "--json"))["status"] == "finished", "the first end holds"
    assert "b is better than control" in said("list")
    assert [one["name"] for one in json.loads(said("list", "--json"))] == ["diverse"]


def test_a_version_is_tried_against_the_champion() -> None:
    variants = json.loads(said("create", "newer", "--model", NAME, "--challenger", "b:version=2", "-r", "why not", "--json"))["variants"]
    assert [one["version"] for one in variants] == [1, 2]
    assert "stopped: it was not looked at yet" in said("stop", "newer", "-r", "no")
    assert "stopped" in said("list", "--model", NAME)


def test_a_name_alone_is_a_second_control() -> None:
    assert json.loads(said("create", "same", "--model", NAME, "--challenger", "a2", "-r", "calibrate", "--json"))["variants"][1]["params"] == {}


@pytest.mark.parametrize(
    ("challenger", "words"), [("b:diversity", "write WHAT=NUMBER"), ("b:diversity=much", "WHAT=NUMBER"), ("b:version=1.5", "a whole number")]
)
def test_a_challenger_that_cannot_be_read_is_told_how(challenger: str, words: str) -> None:
    result = run("create", "x", "--model", NAME, "--challenger", challenger, "-r", "y")
    assert result.exit_code == 2
    assert words in result.output


def test_of_one_nobody_knows_it_says_so() -> None:
    with pytest.raises(NotFound, match="no experiment 'nobody'"):
        said("show", "nobody")
