"""`airflow dags test` of every DAG, one after the other, each on the recorded event of its kind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from evergreen.contracts.actions import APPROVED_KINDS, DAG_KINDS, Action, ActionKind, ActionStatus
from evergreen.local_stack.testing import stack
from tests.support.dags_test import MODEL, DagsTest, prepare

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(300)]

Recorded = tuple[DagsTest, Mapping[ActionKind, Action]]
EXPECTED: Mapping[ActionKind, Mapping[str, object]] = {
    ActionKind.INGEST: {"outcome": "accepted", "quarantined": 0},
    ActionKind.RETRAIN: {"model_version": f"{MODEL}@2"},
    ActionKind.EVALUATE: {"model_version": f"{MODEL}@2"},
    ActionKind.PROMOTE: {"model_version": f"{MODEL}@2", "kind": "promote", "forced": True},
    ActionKind.ROLLBACK: {"model_version": f"{MODEL}@1", "kind": "rollback"},
}
"""Of each action's result, what its use case must have come to here."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with stack({"postgres", "kafka", "mlflow"}) as settings:
        yield prepare(settings, tmp_path_factory.mktemp("airflow"))


@pytest.mark.parametrize("kind", DAG_KINDS)
def test_a_dag_carries_its_recorded_action_out(recorded: Recorded, kind: ActionKind) -> None:
    bench, actions = recorded
    note = bench.run(kind)
    row = bench.row(actions[kind])
    assert row.status is ActionStatus.SUCCEEDED, row.error
    assert row.result is not None
    assert EXPECTED.get(kind, {}).items() <= row.result.items()
    assert (row.run_id or "").startswith("manual__")
    assert note.startswith(f"{kind}")
    assert str(row.action.id) in note


@pytest.mark.parametrize("kind", APPROVED_KINDS)
def test_what_asks_a_person_was_answered_automatically(recorded: Recorded, kind: ActionKind) -> None:
    bench, actions = recorded
    with bench.parts.store.transaction() as tx:
        answers = tx.approvals.of_action(actions[kind].id)
    assert [(row.answer, row.how, row.who) for row in answers] == [("approve", "auto", "airflow dags test")]


def test_a_form_starts_a_dag_too(recorded: Recorded) -> None:
    bench, _ = recorded
    note = bench.run(ActionKind.MAINTENANCE, "--conf", json.dumps({"reason": "tidy up"}))
    assert "manual, caused by dag_test: tidy up" in note


def test_every_task_links_to_the_cause_to_mlflow_and_to_the_report(recorded: Recorded) -> None:
    bench, actions = recorded
    program = """if True:
        import json
        from types import SimpleNamespace
        import airflow.settings
        from airflow.models.dagrun import DagRun
        from airflow.plugins_manager import get_global_operator_extra_links
        from airflow.utils.session import create_session
        airflow.settings.initialize()
        with create_session() as session:
            runs = {run.dag_id: run.run_id for run in session.query(DagRun).order_by(DagRun.id.desc())}
        keys = {dag: SimpleNamespace(dag_id=dag, run_id=run, task_id="claim", map_index=-1) for dag, run in runs.items()}
        links = {dag: {link.name: link.get_link(None, ti_key=key) for link in get_global_operator_extra_links()} for dag, key in keys.items()}
        print(json.dumps(links))
    """
    done = subprocess.run([sys.executable, "-c", program], env=bench.environment(), cwd=bench.airflow_home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    links = json.loads(done.stdout.splitlines()[-1])
    assert links["retrain"]["Cause"] == f"{bench.settings.dashboard.url}/decisions?action={actions[ActionKind.RETRAIN].id}"
    assert links["retrain"]["MLflow"] == f"{bench.settings.mlflow.tracking_uri}/#/models/{MODEL}/versions/2"
    assert links["retrain"]["Report"] == f"{bench.settings.dashboard.url}/models?model={MODEL}&version=2"
    assert (links["ingest"]["MLflow"], links["ingest"]["Report"]) == ("", "")
