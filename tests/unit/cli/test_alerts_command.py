"""`evergreen alerts`: what people type, also when they type it wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from evergreen.adapters.memory.notifications import MemoryNotifier
from evergreen.cli import context
from evergreen.cli.alerts import app
from evergreen.core.errors import InvalidRequest, NotFound
from evergreen.ports.notifier import NotDelivered
from tests.support.alerts import NotifyBench, alert, away
from tests.support.events import MODEL

Run = Callable[..., Any]
"""Words -> what came of it."""


@pytest.fixture
def bench() -> NotifyBench:
    return NotifyBench()


@pytest.fixture
def run(bench: NotifyBench, monkeypatch: pytest.MonkeyPatch) -> Run:
    parts = SimpleNamespace(store=bench.store, clock=bench.clock, notifier=SimpleNamespace(channels=bench.received))
    monkeypatch.setattr(context, "parts", lambda: parts)
    return lambda *words: CliRunner().invoke(app, list(words))


def test_the_list_says_what_became_of_each(run: Run, bench: NotifyBench) -> None:
    assert run("list").output == "no alerts\n"
    bench.tell(alert(), alert("low"))
    bench.record(alert(model="other"))

    lines = run("list").output.splitlines()
    assert [line.split()[2] for line in lines[::2]] == ["waiting", "digest", "notified"]
    (only,) = json.loads(run("list", "--model", "other", "--json").output)
    assert (only["model"], only["outcome"], only["event_type"], only["title_ko"]) == ("other", None, "data_drift_detected", "데이터 드리프트")


def test_the_log_shows_what_was_given_up_and_why(run: Run, bench: NotifyBench) -> None:
    assert run("log").output == "nothing was told yet\n"
    bench.tell(alert())
    bench.received["ops"].fails = lambda _number: NotDelivered("the receiver answered HTTP 401", permanent=True)
    bench.tell(alert(model="other"))

    assert "the receiver answered HTTP 401" in run("log").output
    (failed,) = json.loads(run("log", "--status", "failed", "--json").output)
    assert (failed["status"], failed["channel"], failed["model"], failed["attempts"]) == ("failed", "ops", "other", 1)


def test_a_silence_is_made_shown_and_ended(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run("silence", "--model", MODEL, "--type", "data_drift_detected", "--for", "2h", "--up-to", "high", "--reason", "이사").output

    assert f"{MODEL}, data_drift_detected up to high until 2025-08-06 05:00 UTC" in made
    assert made.splitlines()[0].endswith(": 이사")
    (silence,) = json.loads(run("silences", "--json").output)
    assert (silence["model"], silence["up_to"], silence["reason"], silence["ended_at"]) == (MODEL, "high", "이사", None)
    monkeypatch.setattr("evergreen.environment.user_name", lambda: "lee")
    assert run("unsilence", silence["id"]).exit_code == 0
    assert run("silences").output == "nothing is silenced\n"
    assert "(ended 2025-08-06 03:00 by lee)" in run("silences", "--all").output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(("--for", "2 hours", "--reason", "x", "--model", "m"), "write 30m, 2h or 1d", id="duration"),
        pytest.param(("--for", "2h", "--model", "m"), "--reason", id="no-reason"),
        pytest.param(("--for", "2h", "--reason", "x", "--model", "m", "--up-to", "severe"), "severe", id="severity"),
    ],
)
def test_a_command_typed_wrong_says_how(run: Run, words: tuple[str, ...], says: str) -> None:
    done = run("silence", *words)

    assert done.exit_code == 2
    assert says in done.output


def test_what_cannot_be_done_says_what_can(run: Run, bench: NotifyBench) -> None:
    everything = run("silence", "--for", "2h", "--reason", "x").exception
    unknown = run("unsilence", "ffff").exception
    bench.received.clear()
    nowhere = run("test").exception

    assert [type(one) for one in (everything, unknown, nowhere)] == [InvalidRequest, NotFound, NotFound]
    assert "name a model" in str(everything)
    assert "`evergreen alerts silences`" in str(unknown)
    assert "EVERGREEN_NOTIFY__CHANNELS" in str(nowhere)


def test_the_test_message_names_the_channel_that_did_not_take_it(run: Run, bench: NotifyBench) -> None:
    bench.received["phone"] = MemoryNotifier(fails=away)
    done = run("test", "--json")

    assert done.exit_code == 1
    assert [(one["channel"], one["delivered"], one["error"]) for one in json.loads(done.output)] == [("ops", True, None), ("phone", False, "nobody answers")]
    assert [one.kind for one in bench.received["ops"].received] == ["test"]
    assert bench.notices() == []
