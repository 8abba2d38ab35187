"""When a version may take over, when it has, and where to go back to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from evergreen.core.champion import (
    VersionFacts,
    WorkerView,
    agreement,
    alias_changes,
    bake_is_over,
    promotion_refused,
    rollback_targets,
    wanted_aliases,
)

START = datetime(2025, 1, 1, tzinfo=UTC)


def _worker(name: str, *phases: str, detail: str = "") -> WorkerView:
    return WorkerView(name, frozenset(phases), detail)


@pytest.mark.parametrize(
    ("workers", "at_least", "complete"),
    [
        pytest.param([_worker("a", "prepared"), _worker("b", "prepared")], 1, True, id="all"),
        pytest.param([_worker("a", "prepared"), _worker("b")], 1, False, id="one-is-silent"),
        pytest.param([], 1, False, id="nobody-there"),
        pytest.param([], 0, True, id="nobody-asked"),
        pytest.param([_worker("a")], 0, False, id="nobody-asked-but-one-is-there"),
        pytest.param([_worker("a", "prepared")], 2, False, id="too-few"),
        pytest.param([_worker("a", "serving")], 1, True, id="serving-implies-prepared"),
        pytest.param([_worker("a", "prepared"), _worker("b", "refused")], 1, False, id="one-refuses"),
        pytest.param([_worker("a", "refused", "serving")], 1, True, id="refused-once-serves-now"),
    ],
)
def test_agreement_needs_every_live_worker(workers: list[WorkerView], at_least: int, complete: bool) -> None:
    assert agreement(workers, "prepared", at_least).complete is complete


def test_agreement_says_who_is_missing_and_who_refused() -> None:
    assert "no answer from b" in str(agreement([_worker("a", "serving"), _worker("b", "prepared")], "serving", 1))
    assert str(agreement([_worker("a", "refused", detail="bad hash")], "prepared", 1)) == "a: bad hash"


@pytest.mark.parametrize(
    ("facts", "champion", "forced", "refused"),
    [
        pytest.param(VersionFacts(2, "approved", judged_against=1), 1, False, "", id="approved"),
        pytest.param(VersionFacts(1, "approved"), None, False, "", id="the-first"),
        pytest.param(VersionFacts(2, "candidate"), 1, False, "is candidate", id="not-judged"),
        pytest.param(VersionFacts(2, "refused", judged_against=1), 1, False, "is refused", id="refused"),
        pytest.param(VersionFacts(2, "refused", judged_against=1), 1, True, "", id="forced"),
        pytest.param(VersionFacts(3, "approved", judged_against=1), 2, False, "evaluate it again", id="the-champion-changed"),
        pytest.param(VersionFacts(3, "approved", judged_against=1), None, False, "there is none", id="the-champion-went"),
        pytest.param(VersionFacts(3, "approved", judged_against=None), 2, False, "no champion", id="judged-without-one"),
        pytest.param(VersionFacts(2, "approved", quarantined="bad", judged_against=1), 1, False, "quarantined", id="quarantined"),
        pytest.param(VersionFacts(2, "approved", quarantined="bad", judged_against=1), 1, True, "quarantined", id="force-lifts-no-quarantine"),
    ],
)
def test_what_may_be_promoted(facts: VersionFacts, champion: int | None, forced: bool, refused: str) -> None:
    said = promotion_refused(facts, champion, forced=forced)
    assert (refused in said) if refused else said == ""


def test_one_goes_back_to_stable_versions_newest_first() -> None:
    versions = [
        VersionFacts(1, "approved", stable=True),
        VersionFacts(2, "approved", stable=True, quarantined="bad"),
        VersionFacts(3, "approved", stable=True),
        VersionFacts(4, "approved"),
        VersionFacts(5, "approved", stable=True),
    ]
    assert rollback_targets(versions, 5) == [3, 1]
    assert rollback_targets(versions, 4) == [5, 3, 1]


@pytest.mark.parametrize(
    ("after", "labelled", "breached", "over"),
    [
        pytest.param(timedelta(hours=24), 200, False, True, id="a-day-and-two-hundred"),
        pytest.param(timedelta(hours=23, minutes=59), 10_000, False, False, id="not-yet-a-day"),
        pytest.param(timedelta(days=30), 199, False, False, id="too-few-outcomes"),
        pytest.param(timedelta(days=30), 10_000, True, False, id="breached"),
    ],
)
def test_the_bake(after: timedelta, labelled: int, breached: bool, over: bool) -> None:
    assert bake_is_over(START, START + after, labelled, breached) is over


def test_aliases_are_put_right_and_others_left_alone() -> None:
    wanted = wanted_aliases(3, 2, None)
    assert wanted == {"champion": 3, "previous_champion": 2}
    assert alias_changes({"champion": 1, "challenger": 3, "mine": 9}, wanted) == {"champion": 3, "challenger": None, "previous_champion": 2}
    assert alias_changes(wanted, wanted) == {}
    assert alias_changes({"champion": 1}, {}) == {"champion": None}
