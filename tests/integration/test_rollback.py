"""Rollback against real tables, and the aliases that picture who serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evergreen.core.errors import DeploymentRefused
from evergreen.settings import Settings
from tests.support.deploying import Bench, deploy_bench
from tests.support.tiny import NAME

pytestmark = pytest.mark.connected


@pytest.fixture
def bench(postgres_settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    with deploy_bench(postgres_settings, tmp_path) as made:
        yield made


def _with_two_stable(bench: Bench) -> None:
    bench.registered(3)
    bench.version(1, stable=True)
    bench.promote(1)
    bench.version(2, against=1, stable=True)
    bench.promote(2)
    bench.version(3, "refused", against=2)
    bench.promote(3, forced=True, reason="drill")


def test_a_rollback_goes_to_the_last_stable_version_and_quarantines_the_bad_one(bench: Bench) -> None:
    _with_two_stable(bench)
    result = bench.roll_back(from_version="tiny@3")
    assert (bench.champion(), result["kind"], result["previous_version"]) == ((2, 4), "rollback", "tiny@3")
    with bench.store.transaction() as tx:
        bad = tx.versions.get(NAME, 3)
    assert bad is not None
    assert str(bad.quarantined).startswith("rolled back")
    assert bench.registry.tags["tiny@3"]["evergreen.quarantined"] == "test"
    assert bench.registry.aliases(NAME) == {"champion": 2, "previous_champion": 3}
    with pytest.raises(DeploymentRefused, match="quarantined"):
        bench.promote(3, forced=True)


def test_a_rollback_passes_over_a_version_that_does_not_load(bench: Bench) -> None:
    _with_two_stable(bench)
    bench.registry.spoil(NAME, 2)
    bench.roll_back()
    assert bench.champion() == (1, 4)


def test_a_named_target_is_taken(bench: Bench) -> None:
    _with_two_stable(bench)
    bench.roll_back(to_version="tiny@1")
    assert bench.champion() == (1, 4)


def test_a_rollback_of_what_serves_no_longer_does_nothing(bench: Bench) -> None:
    _with_two_stable(bench)
    assert bench.roll_back(from_version="tiny@2") == {"outcome": "nothing_to_do", "reason": "tiny@2 has gone already: tiny@3 serves, at epoch 3"}
    assert bench.champion() == (3, 3)


def test_a_rollback_without_a_target_is_refused(bench: Bench) -> None:
    bench.version(1)
    bench.promote(1)
    with pytest.raises(DeploymentRefused, match="no stable version"):
        bench.roll_back()
    assert bench.champion() == (1, 1)


def test_by_hand_one_goes_back_to_what_never_was_stable_only_by_force(bench: Bench) -> None:
    _with_two_stable(bench)
    bench.registered(1)
    bench.version(4)
    with pytest.raises(DeploymentRefused, match="cannot go back to tiny@4: it never earned stable"):
        bench.roll_back(to_version="tiny@4")
    assert bench.champion() == (3, 3)
    result = bench.roll_back(to_version="tiny@4", forced=True, reason="the only one that knows the new format")
    assert (bench.champion(), result["forced"], bench.history()[0].forced) == ((4, 4), True, True)


def test_force_does_not_go_back_to_what_is_quarantined(bench: Bench) -> None:
    _with_two_stable(bench)
    with bench.store.transaction() as tx:
        tx.versions.quarantine(NAME, 1, "it was bad")
    with pytest.raises(DeploymentRefused, match="quarantined: it was bad"):
        bench.roll_back(to_version="tiny@1", forced=True, reason="drill")
    assert bench.champion() == (3, 3)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        pytest.param("tiny@3", "it serves already", id="the-one-that-serves"),
        pytest.param("tiny@9", "there is no such version", id="none"),
        pytest.param("tiny@1", "primary.skops", id="one-that-does-not-load"),
    ],
)
def test_what_a_person_named_is_not_replaced_by_another(bench: Bench, target: str, reason: str) -> None:
    _with_two_stable(bench)
    bench.registry.spoil(NAME, 1)
    with pytest.raises(DeploymentRefused, match=reason):
        bench.roll_back(to_version=target)
    assert bench.champion() == (3, 3)


@pytest.mark.parametrize("fault", ["quarantined", "spoilt", "not stable"])
def test_where_the_policys_target_is_no_more_the_next_stable_one_is_taken(bench: Bench, fault: str) -> None:
    _with_two_stable(bench)
    bench.registered(1)
    bench.version(4, stable=fault != "not stable")
    if fault == "spoilt":
        bench.registry.spoil(NAME, 4)
    with bench.store.transaction() as tx:
        if fault == "quarantined":
            tx.versions.quarantine(NAME, 4, "it was bad")
    bench.roll_back(from_version="tiny@3", to_version="tiny@4", forced=True)
    assert bench.champion() == (2, 4)


def test_a_version_that_was_stable_before_is_not_put_in_bake_again(bench: Bench) -> None:
    bench.version(1, stable=True)
    bench.promote(1)
    bench.version(2, against=1)
    bench.promote(2)
    assert [row.stable_from for row in bench.history()] == [None, bench.clock.now()]
    bench.promote(1, forced=True, reason="drill")
    assert bench.history()[0].stable_from == bench.clock.now()


def test_aliases_moved_by_hand_are_put_back(bench: Bench) -> None:
    bench.version(1)
    bench.promote(1)
    bench.version(2, "candidate")
    bench.registry.set_aliases(NAME, {"champion": 2, "challenger": 1, "previous_champion": 2, "mine": 1})
    assert bench.projection.reconcile() == {NAME: {"champion": 1, "challenger": 2, "previous_champion": None}}
    assert bench.registry.aliases(NAME) == {"champion": 1, "challenger": 2, "mine": 1}
    assert bench.projection.reconcile() == {}
