"""The policy in force on every store."""

from __future__ import annotations

import pytest

from evergreen.contracts.envelope import decode
from evergreen.core.errors import InvalidPolicy
from evergreen.core.rules import Policy
from evergreen.services.running_policy import ActivePolicy
from tests.support.events import event
from tests.support.intake_bench import POLICY, Bench, Source

# The policy


def changed_policy() -> Policy:
    return Policy.model_validate({**POLICY.body(), "min_new_rows": 7})


def test_a_changed_policy_takes_effect_and_is_an_event(bench: Bench) -> None:
    bench.send(event("data_ingested"))
    bench.source.policy = changed_policy()

    assert bench.policy.refresh()
    assert not bench.policy.refresh()
    bench.send(event("data_ingested", batch_id="b2"))

    assert [row.policy_hash for row in bench.decisions("-")] == [POLICY.hash, bench.source.policy.hash]
    (said,) = [decode(message.value or b"") for message in bench.outbox("system.alerts")]
    assert said.data == {"old_hash": POLICY.hash, "new_hash": bench.source.policy.hash, "who": "tester"}


def test_who_only_looks_sees_the_policy_in_force_and_changes_nothing(bench: Bench) -> None:
    looking = ActivePolicy(bench.store, Source(changed_policy()))
    assert looking.current().hash == changed_policy().hash

    bench.send(event("data_ingested"))

    assert looking.current().hash == POLICY.hash
    assert bench.outbox("system.alerts") == []


def test_a_broken_policy_is_refused_and_the_running_one_stays(bench: Bench) -> None:
    bench.send(event("data_ingested"))
    bench.source.broken = "policy.yaml:7: no time zone 'Mars'"

    assert not bench.policy.refresh()
    bench.send(event("data_ingested", batch_id="b2"))

    assert {row.policy_hash for row in bench.decisions("-")} == {POLICY.hash}
    with bench.store.transaction() as tx:
        (alert,) = tx.alerts.newest(10)
    assert "policy.yaml:7" in alert.message


def test_a_restart_with_a_broken_file_keeps_the_policy_that_was_active(bench: Bench) -> None:
    bench.send(event("data_ingested"))
    restarted = Bench(bench.store, source=Source(broken="policy.yaml:1: a mistake"))

    assert restarted.policy.current().hash == POLICY.hash


def test_a_first_start_with_a_broken_file_says_so(bench: Bench) -> None:
    fresh = Bench(bench.store, source=Source(broken="policy.yaml:1: a mistake"))

    with pytest.raises(InvalidPolicy, match=r"policy\.yaml:1"):
        fresh.policy.current()
