"""What a person is shown before a champion changes: by `--dry-run`, and in the question an approval asks. Real tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from evergreen.contracts.actions import Action, ActionKind, Cause
from evergreen.services.approval_question import ApprovalQuestion
from evergreen.services.preview_change import PreviewChange
from evergreen.services.rollback import Rollback
from evergreen.settings import Settings
from tests.support.claims import claimed
from tests.support.deploying import NOW, Bench, deploy_bench
from tests.support.tiny import NAME, tiny_spec

pytestmark = pytest.mark.connected
GATES = [{"name": "improvement", "passed": True, "detail": "better by 12 %", "numbers": {}}, {"name": "size", "passed": False, "detail": "2 MB", "numbers": {}}]


@pytest.fixture
def bench(postgres_settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    with deploy_bench(postgres_settings, tmp_path) as made:
        yield made


def preview(bench: Bench, kind: ActionKind, target: str = NAME, **params: Any) -> dict[str, Any]:
    rollback = Rollback(bench.store, bench.registry, bench.deploy(), lambda _: tiny_spec())
    return PreviewChange(bench.store, bench.clock, rollback.planned, min_confirmations=1).run(kind, NAME, target, params)


def written(bench: Bench) -> tuple[int, ...]:
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM actions), (SELECT count(*) FROM deployments), (SELECT count(*) FROM outbox)")
        return tuple(cursor.fetchone() or ())


def test_a_promotion_is_shown_with_its_checks_and_gates_and_nothing_is_written(bench: Bench) -> None:
    bench.version(1, stable=True)
    bench.promote(1)
    bench.version(2, against=1)
    with bench.store.transaction() as tx:
        tx.versions.judge(NAME, 2, "approved", {"judged_against": 1, "gates": GATES})
    before = written(bench)

    found = preview(bench, ActionKind.PROMOTE, "tiny@2")

    assert (found["outcome"], found["champion"], found["target"]) == ("would_change", "tiny@1", "tiny@2")
    assert [check["name"] for check in found["checks"]] == ["rules", "no other deployment", "no other action", "serving workers"]
    assert found["gates"] == GATES
    assert (written(bench), bench.champion()) == (before, (1, 1))


def test_a_promotion_that_would_be_refused_says_why(bench: Bench) -> None:
    bench.version(1, "refused")
    with bench.store.transaction() as tx:
        tx.versions.judge(NAME, 1, "refused", {"judged_against": None, "gates": GATES})

    assert preview(bench, ActionKind.PROMOTE, "tiny@1")["gates"] == GATES
    assert "not approved by the gates" in preview(bench, ActionKind.PROMOTE, "tiny@1")["reason"]
    assert preview(bench, ActionKind.PROMOTE, "tiny@1", forced=True)["outcome"] == "would_change"
    assert preview(bench, ActionKind.PROMOTE, "tiny@9")["reason"] == "there is no version tiny@9"


def test_a_promotion_of_what_serves_is_nothing_to_do(bench: Bench) -> None:
    bench.version(1)
    bench.promote(1)

    assert preview(bench, ActionKind.PROMOTE, "tiny@1")["outcome"] == "nothing_to_do"


def test_a_rollback_names_the_version_it_would_go_back_to(bench: Bench) -> None:
    _two_served(bench)

    found = preview(bench, ActionKind.ROLLBACK)

    assert (found["outcome"], found["champion"], found["target"]) == ("would_change", "tiny@2", "tiny@1")
    assert bench.champion() == (2, 2)


def test_a_change_while_another_is_out_would_wait(bench: Bench) -> None:
    _two_served(bench)
    claimed(bench.store, bench.clock, ActionKind.ROLLBACK, {}, model=NAME, target=NAME)

    found = preview(bench, ActionKind.ROLLBACK)

    assert (found["outcome"], found["reason"]) == ("would_wait", "another rollback of tiny is out: this one waits for it")


def test_the_question_names_version_cause_numbers_and_where_to_look(bench: Bench) -> None:
    _two_served(bench)
    bench.version(3, against=2)
    with bench.store.transaction() as tx:
        tx.versions.judge(NAME, 3, "approved", {"judged_against": 2, "gates": GATES})

    subject, body = _asked(bench, ActionKind.PROMOTE, "tiny@3") or ("", "")

    assert subject == "Promote tiny@3?"
    for said in ("tiny@2 serves now", "data_drift_high, severity high, by data_drift_detected `e1`", "trained on 400 rows", "| size | **failed** | 2 MB |"):
        assert said in body
    assert "[Why](http://serving/actions/" in body
    assert "[MLflow](http://mlflow/tiny/3)" in body


def test_the_question_of_a_rollback_names_what_goes_and_what_comes(bench: Bench) -> None:
    _two_served(bench)

    subject, body = _asked(bench, ActionKind.ROLLBACK, NAME, from_version="tiny@2", to_version="tiny@1") or ("", "")

    assert subject == "Roll back tiny@2?"
    assert "**Back to** tiny@1; tiny@2 is quarantined" in body


@pytest.mark.parametrize(
    ("kind", "target", "params"),
    [
        pytest.param(ActionKind.PROMOTE, "tiny@2", {}, id="it-serves-already"),
        pytest.param(ActionKind.ROLLBACK, NAME, {"from_version": "tiny@1"}, id="it-has-gone-already"),
    ],
)
def test_what_would_change_nothing_is_not_asked(bench: Bench, kind: ActionKind, target: str, params: dict[str, Any]) -> None:
    _two_served(bench)

    assert _asked(bench, kind, target, **params) is None


def _two_served(bench: Bench) -> None:
    bench.registered(2)
    bench.version(1, stable=True)
    bench.promote(1)
    bench.version(2, against=1)
    bench.promote(2)


def _asked(bench: Bench, kind: ActionKind, target: str, **params: Any) -> tuple[str, str] | None:
    cause = Cause(source="/airflow/drift_check", id="e1", type="data_drift_detected")
    facts: dict[str, Any] = {"id": uuid4(), "kind": kind, "model": NAME, "target": target, "params": params, "severity": "high", "causes": (cause,)}
    action = Action(**facts, reason="data_drift_high", due_at=NOW, as_of=NOW)
    wording = ApprovalQuestion(bench.store, lambda found: f"http://serving/actions/{found}/explain", lambda model, version: f"http://mlflow/{model}/{version}")
    return wording.wording(action)
