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
    assert bench.roll_back(from_version="tiny@2") == {"outcome": "nothing_to_do"}
    assert bench.champion() == (3, 3)


def test_a_rollback_without_a_target_is_refused(bench: Bench) -> None:
    bench.version(1)
    bench.promote(1)
    with pytest.raises(DeploymentRefused, match="no stable version"):
        bench.roll_back()
    assert bench.champion() == (1, 1)


def test_aliases_moved_by_hand_are_put_back(bench: Bench) -> None:
    bench.version(1)
    bench.promote(1)
    bench.version(2, "candidate")
    bench.registry.set_aliases(NAME, {"champion": 2, "challenger": 1, "previous_champion": 2, "mine": 1})
    assert bench.projection.reconcile() == {NAME: {"champion": 1, "challenger": 2, "previous_champion": None}}
    assert bench.registry.aliases(NAME) == {"champion": 1, "challenger": 2, "mine": 1}
    assert bench.projection.reconcile() == {}
