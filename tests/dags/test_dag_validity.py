"""Every DAG imports, is rung by its own kind only, says what a red run means, and asks a person for a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evergreen.contracts.actions import DAG_KINDS
from evergreen.contracts.topics import ACTIONS

SNAPSHOT = Path(__file__).with_name("dags.json")
KINDS = [kind.value for kind in DAG_KINDS]
OF_MODELS = sorted({*KINDS} - {"ingest", "maintenance"})
TAGS = {"loop", "data", "models", "serving", "watch", "upkeep"}


def test_the_folder_imports_without_an_error(described: dict[str, Any]) -> None:
    assert described["errors"] == {}
    assert sorted(described["dags"]) == sorted(KINDS)


def test_parsing_is_cheap(described: dict[str, Any]) -> None:
    assert described["heavy"] == [], "paid at every parse and by every task"
    assert described["seconds"] < 15, "eight files, their imports included, on a busy machine"


@pytest.mark.parametrize("kind", KINDS)
def test_a_dag_is_rung_by_its_own_kind_only(described: dict[str, Any], kind: str) -> None:
    dag = described["dags"][kind]
    assert dag["asset"] == f"kafka://events/{ACTIONS}/{kind}"
    [[path, keywords]] = dag["watchers"]
    assert path == "evergreen.orchestration.trigger.ActionTrigger"
    assert keywords["kind"] == kind
    assert keywords["poll_timeout"] <= 0.25
    assert not dag["catchup"]
    assert dag["run_types"] == ["asset_triggered", "manual"]


def test_all_watchers_share_one_consumer(described: dict[str, Any]) -> None:
    assert len({stream for dag in described["dags"].values() for stream in dag["streams"]}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_claim_work_ring(described: dict[str, Any], kind: str) -> None:
    tasks = described["dags"][kind]["tasks"]
    [work] = tasks.keys() - {"claim", "ring_for_more"}
    assert tasks["claim"]["type"] == "ActionSensor"
    assert tasks["claim"]["then"] == [work]
    assert tasks["claim"]["timeout"] is not None, "a sensor without a timeout waits for ever"
    assert tasks[work]["then"] == ["ring_for_more"]
    assert tasks[work]["on_failure"] == ["told_failed"]
    assert tasks[work]["timeout"] is not None, "a hung task renews its lease for ever"
    assert tasks["ring_for_more"]["teardown"], "it rings after failed work too, and does not paint the run green"
    assert min(task["retries"] for task in tasks.values()) >= 2


@pytest.mark.parametrize("kind", KINDS)
def test_its_documentation_says_what_a_red_run_means(described: dict[str, Any], kind: str) -> None:
    doc = described["dags"][kind]["doc"]
    assert "**Triage**" in doc
    assert f"Rung by an action `{kind}`" in doc
    assert doc.count("\n- ") >= 2


@pytest.mark.parametrize("kind", KINDS)
def test_tags_come_from_the_closed_list(described: dict[str, Any], kind: str) -> None:
    tags = described["dags"][kind]["tags"]
    assert "loop" in tags
    assert TAGS.issuperset(tags)


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_asks_for_a_reason(described: dict[str, Any], kind: str) -> None:
    reason = described["dags"][kind]["params"]["reason"]
    assert reason["type"] == "string", "a type without null is a required field of the form"
    assert reason["default"] == ""


@pytest.mark.parametrize("kind", OF_MODELS)
def test_the_form_offers_the_models_as_a_list(described: dict[str, Any], kind: str) -> None:
    assert described["dags"][kind]["params"]["model"]["enum"] == ["video_performance", "movie_recommender"]


def test_nothing_changed_unnoticed(described: dict[str, Any]) -> None:
    """A small projection of every DAG. A change that is meant changes `dags.json` too."""
    projection = {
        dag_id: {
            "tags": dag["tags"],
            "params": sorted(dag["params"]),
            "tasks": {name: [task["type"], task["retries"], task["timeout"], task["then"]] for name, task in dag["tasks"].items()},
            "runs": dag["max_active_runs"],
        }
        for dag_id, dag in described["dags"].items()
    }
    assert projection == json.loads(SNAPSHOT.read_text()), f"now: {json.dumps(projection)}"
