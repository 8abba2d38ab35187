"""A mistake in a policy file is named by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from evergreen.adapters.policy_file import PolicyFile, load_policy, parse_policy
from evergreen.core.errors import InvalidPolicy
from evergreen.core.rules import Policy
from evergreen.environment import CHECKOUT

FILE = CHECKOUT / "policies" / "default.yaml"
TEXT = FILE.read_text()


def test_the_default_policy_is_sound_and_its_body_reads_back_to_its_hash() -> None:
    policy = load_policy(FILE)

    assert Policy.model_validate(policy.body()).hash == policy.hash


def test_comments_and_spaces_do_not_change_the_hash() -> None:
    assert parse_policy("# another comment\n" + TEXT.replace("{any: {", "{ any:   {")).hash == load_policy(FILE).hash


def test_a_changed_number_does() -> None:
    assert parse_policy(TEXT.replace("above: 0.8", "above: 0.81")).hash != load_policy(FILE).hash


@pytest.mark.parametrize(
    ("good", "bad", "why"),
    [
        pytest.param("Asia/Seoul", "Mars/Olympus", "timezone: no time zone 'Mars/Olympus'", id="zone"),
        pytest.param("above: 0.8}", "above: much}", "Input should be a valid number", id="number"),
        pytest.param("data_processed: {any", "data_procesed: {any", "no event type 'data_procesed'; is data_processed meant?", id="event-type"),
        pytest.param("{field: drift_score, above: 0.6}", "{field: drift, above: 0.6}", "data_drift_detected has no field 'drift'", id="field"),
        pytest.param("approved: true", "aproved: true", "model_evaluation_completed has no field 'aproved'", id="condition"),
        pytest.param("action: retrain, when", "action: retrian, when", "Input should be 'ingest', 'drift_check'", id="action"),
        pytest.param("stale_after: 24h", "stale_after: a day", "'a day' is no duration; write for example 30s", id="duration"),
        pytest.param('start: "03:00"', "start: 3", "3 is no time of day", id="time"),
        pytest.param("version: 1", "version: 1\nversion: 1", "'version' stands here twice", id="twice"),
        pytest.param("    low: {action: monitor}\n    medium: {action: alert}", "    low: {action: monitor}", "no cell for severity medium", id="gap"),
        pytest.param("data_ingested: {any", "data_ingested: {low: {action: alert}, any", "so low can never be reached", id="unreachable"),
        pytest.param("      - {action: alert, reason: candidate_refused}\n", "", "the last cell of a list must have no `if`", id="no-answer"),
        pytest.param("min_new_rows: 100", "min_new_row: 100", "Extra inputs are not permitted", id="misspelt"),
        pytest.param("timezone: Asia/Seoul", "timezone: [", "expected ',' or ']'", id="yaml"),
    ],
)
def test_a_mistake_is_named_by_its_line(good: str, bad: str, why: str) -> None:
    assert good in TEXT
    line = TEXT[: TEXT.index(good)].count("\n") + 1

    with pytest.raises(InvalidPolicy) as refused:
        parse_policy(TEXT.replace(good, bad, 1), "p.yaml")

    faults = {int(text.split(":")[1]): text for text in str(refused.value).splitlines() if text.startswith("p.yaml:")}
    assert why in str(refused.value)
    assert min(abs(line - found) for found in faults) <= 6


@pytest.mark.parametrize(
    ("good", "bad", "why"),
    [
        pytest.param("Asia/Seoul", "Asia", "no time zone 'Asia'", id="zone-that-is-a-folder"),
        pytest.param("stale_after: 24h", "stale_after: 99999999999d", "duration|too large", id="duration-without-end"),
        pytest.param("above: 0.8}", "above: .inf}", "finite number", id="number-without-json"),
        pytest.param("above: 0.8}", "above: 2025-99-99}", "month must be in 1..12", id="day-of-no-calendar"),
        pytest.param("above: 0.8}", f"above: {'[' * 2_000}{']' * 2_000}}}", "recursion", id="lists-without-end"),
    ],
)
def test_a_value_nothing_can_be_made_of_is_a_mistake_too(good: str, bad: str, why: str) -> None:
    assert good in TEXT

    with pytest.raises(InvalidPolicy, match=why) as refused:
        parse_policy(TEXT.replace(good, bad, 1), "p.yaml")

    assert str(refused.value).startswith("p.yaml:")


def test_several_mistakes_are_all_named() -> None:
    with pytest.raises(InvalidPolicy) as refused:
        parse_policy(TEXT.replace("Asia/Seoul", "Mars").replace("stale_after: 24h", "stale_after: soon"))

    assert len(str(refused.value).splitlines()) == 2


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidPolicy, match="cannot be read"):
        PolicyFile(tmp_path / "none.yaml").load()
    assert PolicyFile(tmp_path / "none.yaml").version() == "absent"


def test_a_saved_file_has_another_version(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(TEXT)
    source = PolicyFile(file)
    before = source.version()
    file.write_text(TEXT + "\n")

    assert source.version() != before
    assert source.who()


@pytest.mark.parametrize("text", ['reason: "a\\0b"', '"a\\0b": 1', 'note: "\\ud83d"'], ids=["value", "key", "half-a-pair"])
def test_what_no_record_can_hold_is_refused_by_its_line_in_words_that_can_be_recorded(text: str) -> None:
    with pytest.raises(InvalidPolicy, match=r"^p\.yaml:2: .* holds a character that no record can hold$") as refused:
        parse_policy(f"version: 1\n{text}\n", "p.yaml")

    assert "\0" not in str(refused.value)
    assert str(refused.value).isprintable()
