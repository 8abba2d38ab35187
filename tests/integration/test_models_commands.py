"""`evergreen models` against real tables, with a thread in the DAGs' place."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.bootstrap import Parts
from evergreen.cli import context
from evergreen.cli.models import app
from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import FixedClock
from evergreen.core.errors import EvergreenError
from evergreen.core.release import released_at
from evergreen.ports.model import ModelSpec
from evergreen.services.await_action import ActionNotDone
from evergreen.settings import Settings
from tests.support.claims import emptied
from tests.support.meanwhile import repeatedly
from tests.support.serving_workers import ServingWorkers, Worker
from tests.support.tiny import NAME, FrameLake, tiny_rows, tiny_spec

pytestmark = pytest.mark.connected
NOW = released_at(date(2025, 2, 9))


class StandingClock(FixedClock):
    def is_replaying(self) -> bool:
        return False


class TinyParts(Parts):
    """The process's parts around the tiny model."""

    @cached_property
    def specs(self) -> Mapping[str, ModelSpec]:
        return {NAME: tiny_spec()}


@dataclass
class Bench:
    parts: Parts

    def run(self, *arguments: str) -> Result:
        return CliRunner(env={"COLUMNS": "160"}).invoke(app, list(arguments))

    def said(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    @contextmanager
    def dags(self) -> Iterator[None]:
        """Claim and carry out whatever is pending until the block ends."""
        with repeatedly(self._carry_out, 0.05):
            yield

    def _carry_out(self) -> None:
        for kind in (ActionKind.RETRAIN, ActionKind.EVALUATE, ActionKind.PROMOTE, ActionKind.ROLLBACK):
            claim = self.parts.carry_out.claim(kind, f"run-{uuid4()}")
            if claim is None:
                continue
            try:
                with self.parts.carry_out.working(claim.lease):
                    self.parts.use_case(kind)(claim)
            except EvergreenError as error:
                self.parts.carry_out.fail(claim.lease, str(error))

    def evaluated(self, version: str) -> None:
        self.parts.carry_out.request(ActionKind.EVALUATE, model=NAME, target=version, reason="test", who="test", key=str(uuid4()))
        with self.dags():
            pause = threading.Event()
            while self.said("report", version)["scorecard"] is None:
                pause.wait(0.05)


@pytest.fixture
def bench(postgres_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    parts = TinyParts(postgres_settings)
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value(), max_connections=10))
    for name, part in {"store": store, "clock": StandingClock(NOW), "registry": MemoryRegistry(tmp_path), "lake": FrameLake(tiny_rows(60))}.items():
        monkeypatch.setitem(parts.__dict__, name, part)
    monkeypatch.setattr(context, "parts", lambda: parts)
    with ServingWorkers(store, [Worker("a"), Worker("b")]):
        yield Bench(parts)
    store.close()


def test_a_first_version_by_hand_from_training_to_history(bench: Bench) -> None:
    assert bench.said("list") == [{"model": NAME, "champion": None, "epoch": None, "waiting": [], "versions": []}]
    with bench.dags():
        trained = bench.said("train")
    assert trained["result"]["model_version"] == "tiny@1"
    (model,) = bench.said("list")
    (version,) = model["versions"]
    assert (version["cause"], version["status"], version["metric"]) == ("bootstrap", "candidate", "mae_y")
    assert version["held_out_error"] == trained["result"]["metrics"]["mae_y"]
    bench.evaluated("tiny@1")
    with bench.dags():
        promoted = bench.run("promote", "tiny@1")
    assert promoted.exit_code == 0
    assert "promote tiny@1: succeeded" in promoted.stderr
    (deployment,) = bench.said("history")
    assert (deployment["version"], deployment["status"], deployment["served_from"]) == ("tiny@1", "confirmed", NOW.isoformat())
    report = bench.said("report")
    assert (report["version"], report["champion"], report["scorecard"]["approved"]) == ("tiny@1", True, True)


def test_what_people_see_names_versions_gates_and_reasons(bench: Bench) -> None:
    with bench.dags():
        assert bench.run("train", NAME).exit_code == 0
    bench.evaluated("tiny@1")
    with bench.dags():
        assert bench.run("promote", "tiny@1", "--force", "--reason", "[urgent] release").exit_code == 0
    assert "tiny@1 serves (epoch 1)" in bench.run("list").stdout
    assert "promote (forced)" in bench.run("history").stdout
    report = bench.run("report", "tiny@1").stdout
    assert "approved against median" in report
    assert "improvement" in report


def test_the_page_is_the_one_the_registry_keeps(bench: Bench, tmp_path: Path) -> None:
    with bench.dags():
        bench.run("train", NAME)
    bench.evaluated("tiny@1")
    file = tmp_path / "report.html"
    assert bench.run("report", "tiny@1", "--html", str(file)).exit_code == 0
    bench.parts.retrain_reports.attach("tiny@1")
    registry = bench.parts.registry
    assert isinstance(registry, MemoryRegistry)
    assert registry.files["run-1/report.html"] == file.read_bytes()
    assert b"tiny@1" in file.read_bytes()


def test_a_dry_run_shows_and_changes_nothing(bench: Bench) -> None:
    with bench.dags():
        bench.run("train")
    bench.evaluated("tiny@1")
    shown = bench.said("promote", "tiny@1", "--dry-run")
    assert (shown["outcome"], shown["champion"]) == ("would_change", None)
    assert {gate["name"] for gate in shown["gates"]} >= {"improvement", "artifact"}
    assert bench.run("promote", "tiny@1", "--force", "--dry-run").exit_code == 0
    refused = bench.run("rollback", "--dry-run")
    assert refused.exit_code == 0
    assert "has no champion to roll back from" in refused.stdout
    assert bench.said("history") == []


def test_a_second_training_by_hand_is_manual(bench: Bench) -> None:
    with bench.dags():
        bench.run("train")
        bench.run("promote", "tiny@1", "--force", "--reason", "test")
        bench.run("train")
    (model,) = bench.said("list")
    assert [row["cause"] for row in model["versions"]] == ["manual", "bootstrap"]


def test_force_needs_a_reason(bench: Bench) -> None:
    result = bench.run("promote", "tiny@1", "--force")
    assert result.exit_code == 2
    assert "--reason" in result.output


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param(("promote", "tiny@9"), ActionNotDone, id="no-such-version"),
        pytest.param(("promote", "tiny"), EvergreenError, id="not-a-version"),
        pytest.param(("promote", "other@1"), EvergreenError, id="not-a-model"),
        pytest.param(("rollback",), ActionNotDone, id="nothing-to-go-back-to"),
        pytest.param(("history", "other"), EvergreenError, id="history-of-nothing"),
        pytest.param(("report",), EvergreenError, id="no-version-yet"),
    ],
)
def test_what_cannot_be_done_says_why(bench: Bench, arguments: tuple[str, ...], error: type[EvergreenError]) -> None:
    with bench.dags():
        result = bench.run(*arguments)
    assert isinstance(result.exception, error)
    assert str(result.exception)


def test_one_may_ask_without_waiting_and_waiting_ends(bench: Bench) -> None:
    asked = bench.said("train", "--no-wait")
    assert set(asked) == {"action_id"}
    result = bench.run("train", "--timeout", "1")
    assert isinstance(result.exception, ActionNotDone)
    assert "is pending after 1 s and goes on" in str(result.exception)


def test_a_model_trained_elsewhere_is_asked_in_by_whom_and_why(bench: Bench) -> None:
    arguments = ("submit", "models:/elsewhere/3", "--trained-to", "2025-02-01", "--reason", "deeper trees", "--key", "once", "--no-wait")
    asked = bench.said(*arguments)
    assert bench.said(*arguments) == asked
    with bench.parts.store.transaction() as tx:
        (row,) = tx.actions.due(NOW, ActionKind.RETRAIN)
    action = row.action
    assert (str(action.id), action.target, action.reason) == (asked["action_id"], f"{NAME}/submitted", "submitted")
    assert action.params["candidate"] == "models:/elsewhere/3"
    assert action.params["requested_by"].startswith("cli:")
    assert action.params["reason"] == "deeper trees"


@pytest.mark.parametrize(
    ("uri", "day", "words"),
    [
        pytest.param("https://evil.example/model", "2025-02-01", "comes from this stack's MLflow", id="address"),
        pytest.param("models:/elsewhere/3", "2999-01-01", "lies in the future", id="future"),
    ],
)
def test_what_is_no_submission_is_refused_at_once(bench: Bench, uri: str, day: str, words: str) -> None:
    result = bench.run("submit", uri, "--trained-to", day, "--reason", "x")
    assert isinstance(result.exception, EvergreenError)
    assert words in str(result.exception)
