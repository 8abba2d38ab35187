"""`evergreen events`, `dlq`, `policy` and `explain` on a running stack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evergreen.cli import main
from evergreen.contracts.envelope import encode, new_id
from evergreen.core.clock import wall_now
from tests.support.events import event
from tests.support.intake_stack import IntakeStack, intake_stack, until

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def running() -> Iterator[IntakeStack]:
    with intake_stack() as started, pytest.MonkeyPatch.context() as environment:
        environment.setenv("EVERGREEN_HOME", str(started.parts.settings.home))
        main.register_commands()
        yield started


def run(*arguments: str, given: bytes | None = None) -> Result:
    return CliRunner().invoke(main.app, arguments, input=given)


def answer(*arguments: str, given: bytes | None = None) -> Any:
    result = run(*arguments, "--json", given=given)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return json.loads(result.stdout)


def drift(**changes: Any) -> dict[str, Any]:
    return {**event("data_drift_detected").data, "event_id": new_id(), "timestamp": wall_now().isoformat(), "key": "video_performance", **changes}


def test_flat_json_is_wrapped_published_decided_and_explained(running: IntakeStack) -> None:
    flat = drift(drift_score=0.7)

    said = answer("events", "publish", "data.drift.detected", json.dumps(flat))

    assert said["id"] == flat["event_id"]
    assert (said["type"], said["subject"]) == ("data_drift_detected", "video_performance")
    until(lambda: running.decided([said["id"]]), 10)
    story = answer("explain", said["id"])
    assert [action["kind"] for action in story["actions"]] == ["retrain", "alert"]
    assert story["decisions"][0]["severity"] == {"final": "high", "path": ["event: low", "drift_score 0.7 > 0.6: high"]}
    assert story["events"][0]["message"].startswith("data.drift.detected[")
    assert "cooldown: passed" in run("explain", story["actions"][0]["id"]).stdout


@pytest.mark.parametrize(
    ("topic", "text", "why"),
    [
        pytest.param("data.drift", "{}", "no topic 'data.drift'", id="topic"),
        pytest.param("system.health", "{}", "say which with --type", id="type"),
        pytest.param("data.ingested", "{", "not JSON", id="json"),
        pytest.param("data.ingested", '{"timestamp": "2025-08-06T03:00:00"}', "has no time zone", id="time"),
    ],
)
def test_what_cannot_be_wrapped_is_an_error_that_says_why(running: IntakeStack, topic: str, text: str, why: str) -> None:
    result = run("events", "publish", topic, text)

    assert result.exit_code != 0
    assert why in str(result.exception)


def test_a_payload_intake_will_refuse_is_published_with_a_warning(running: IntakeStack) -> None:
    result = run("events", "publish", "data.ingested", '{"batch_id": "b"}')

    assert result.exit_code == 0
    assert "warning: intake will put this into the dead letters" in result.stderr


def test_a_recorded_event_is_sent_again_and_changes_nothing_unless_it_is_new(running: IntakeStack) -> None:
    said = answer("events", "publish", "data.drift.detected", json.dumps(drift()))
    until(lambda: running.decided([said["id"]]), 10)
    decisions = running.ask("SELECT count(*) FROM decisions")

    shown = answer("events", "replay", "--id", said["id"])
    assert shown == {"matched": 1, "sent": 0, "dry_run": True, "types": {"data_drift_detected": 1}, "skipped": {}}
    assert answer("events", "replay", "--id", said["id"], "--yes")["sent"] == 1
    tailed = run("events", "tail", "--topic", "data.drift.detected", "--from-beginning", "--until-end", "--json").stdout.splitlines()
    assert [json.loads(line)["event"]["id"] for line in tailed if said["id"] in line] == [said["id"]] * 2
    marker = answer("events", "publish", "data.drift.detected", json.dumps(drift()))
    until(lambda: running.decided([marker["id"]]), 10)  # same key, same partition: what came before it was taken in
    assert running.ask("SELECT count(*) FROM decisions") == [(decisions[0][0] + 1,)]

    assert answer("events", "replay", "--id", said["id"], "--new-ids", "--yes")["sent"] == 1
    until(lambda: running.ask("SELECT count(*) FROM events WHERE extensions ->> 'causationid' = %s", said["id"]) == [(1,)], 10)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--yes", "--dry-run"), id="both"),
        pytest.param(("--type", "timer_due"), id="a-type-without-a-topic"),
        pytest.param(("--from", "2025-08-06T03:00:00"), id="no-time-zone"),
        pytest.param(("--to", "noon"), id="no-time"),
    ],
)
def test_a_replay_nobody_meant_is_refused(running: IntakeStack, arguments: tuple[str, ...]) -> None:
    assert run("events", "replay", *arguments).exit_code == 2


def test_explain_finds_a_decision_and_a_dead_letter_and_says_where_to_look_else(running: IntakeStack) -> None:
    said = answer("events", "publish", "data.drift.detected", json.dumps(drift(drift_score=9)))
    until(lambda: [letter for letter in running.letters() if said["id"].encode() in (letter.value or b"")], 10)
    lost = answer("explain", said["id"])
    assert lost["about"] == "dead_letter"
    assert "schema_violation" in lost["says"]
    assert answer("explain", "video_performance/1")["about"] == "decision"
    assert "evergreen events tail" in str(run("explain", "nobody").exception)


def test_tail_shows_what_is_there(running: IntakeStack) -> None:
    said = answer("events", "publish", "system.health", json.dumps({"service_name": "serving"}), "--type", "service_recovered")

    lines = run("events", "tail", "--topic", "system.health", "--from-beginning", "--until-end", "--json").stdout.splitlines()

    assert said["id"] in [json.loads(line)["event"]["id"] for line in lines]


def test_a_dead_letter_is_listed_shown_repaired_and_sent_back(running: IntakeStack) -> None:
    flat = event("data_drift_detected", at=wall_now())
    mark = new_id().encode()
    running.put("data.drift.detected", encode(flat).replace(b'"drift_score": 0.2', b'"drift_score": 7'), headers=[("test", mark)])
    until(lambda: running.letters_with(mark), 10)
    letter_id = running.letters_with(mark)[0].id

    (listed,) = [one for one in answer("dlq", "list") if one["id"] == letter_id]
    assert (listed["reason"], listed["source_topic"], listed["redriven_at"]) == ("schema_violation", "data.drift.detected", None)
    shown = answer("dlq", "show", letter_id)
    assert shown["headers"] == [["test", mark.decode()]]
    assert json.loads(shown["value"])["data"]["drift_score"] == 7

    assert answer("dlq", "redrive", letter_id, "--set", "data.drift_score=0.3") == [{"id": letter_id, "topic": "data.drift.detected", "changed": True}]
    until(lambda: running.decided([flat.id]), 10)
    (listed,) = [one for one in answer("dlq", "list") if one["id"] == letter_id]
    assert listed["redriven_at"] is not None
    assert letter_id not in [one["id"] for one in answer("dlq", "list", "--waiting")]


def test_a_letter_sent_back_unchanged_keeps_every_byte(running: IntakeStack) -> None:
    mark = new_id().encode()
    running.put("data.ingested", b"\xff\x00", headers=[("test", mark), ("reason", b"theirs")])
    until(lambda: running.letters_with(mark), 10)
    letter = running.letters_with(mark)[0]

    answer("dlq", "redrive", letter.id)

    until(lambda: len(running.letters_with(mark)) == 2, 10)
    first, second = running.letters_with(mark)
    assert (first.key, first.value, first.original) == (second.key, second.value, second.original)
    assert first.id != second.id


def test_an_unknown_letter_is_an_error(running: IntakeStack) -> None:
    result = run("dlq", "redrive", "nothing")

    assert result.exit_code != 0
    assert "no dead letters named nothing" in str(result.exception)


def test_the_policy_can_be_asked_and_nothing_is_written(running: IntakeStack, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    said = event("data_drift_detected", at=wall_now(), drift_score=0.9)
    file.write_bytes(encode(said))

    (decision,) = answer("policy", "simulate", str(file))

    assert decision["severity"]["final"] == "critical"
    assert running.ask("SELECT count(*) FROM events WHERE id = %s", said.id) == [(0,)]


def test_a_sound_policy_passes_and_a_broken_one_names_its_line(running: IntakeStack, tmp_path: Path) -> None:
    assert answer("policy", "lint")["findings"] == []
    broken = tmp_path / "broken.yaml"
    broken.write_text("version: 1\ntimezone: Mars\n")

    result = run("policy", "lint", str(broken))

    assert result.exit_code != 0
    assert "broken.yaml:2: timezone: no time zone 'Mars'" in str(result.exception)


def test_one_flipped_byte_is_found(running: IntakeStack) -> None:
    assert answer("policy", "verify")["fault"] is None
    running.ask("UPDATE decisions SET body = replace(body, '\"rule\"', '\"rulf\"') WHERE model = '-' AND seq = 1 RETURNING 1")

    result = run("policy", "verify", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["fault"] == "decision -/1: its body is not the one that was recorded"
