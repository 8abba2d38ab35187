"""A search's trials as child runs of the version's run, as MLflow's UI nests them.

Guarantee: one child run per trial, however often the step is repeated. Failure: the process dies between any two calls. Remedy: a child is found
by its number among its parent's, and one that is not finished is finished."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evergreen.adapters.mlflow_rest import MlflowRest
from evergreen.ports.registry import SearchTrial

PARENT_TAG = "mlflow.parentRunId"
NUMBER_TAG = "evergreen.trial"
_MOST = 200


def log_trials(rest: MlflowRest, experiment: str, parent: str, metric: str, trials: Sequence[SearchTrial]) -> None:
    """`metric`: what the loss on the validation window is called."""
    if not trials:
        return
    known = {_number(run): run for run in children(rest, experiment, parent)}
    for trial in trials:
        run = known.get(trial.number) or _started(rest, experiment, parent, trial)
        if run["info"].get("status") != "FINISHED":
            _finish(rest, run, metric, trial)


def children(rest: MlflowRest, experiment: str, parent: str) -> list[dict[str, Any]]:
    query = {"experiment_ids": [experiment], "filter": f"tags.`{PARENT_TAG}` = '{parent}'", "max_results": _MOST}
    found: list[dict[str, Any]] = rest.post("runs/search", query).get("runs", [])
    return found


def _number(run: dict[str, Any]) -> int:
    return next((int(tag["value"]) for tag in run["data"].get("tags", []) if tag["key"] == NUMBER_TAG), -1)


def _started(rest: MlflowRest, experiment: str, parent: str, trial: SearchTrial) -> dict[str, Any]:
    tags = {PARENT_TAG: parent, NUMBER_TAG: str(trial.number), "evergreen.chosen": str(trial.chosen).lower()}
    body = {"experiment_id": experiment, "run_name": f"trial {trial.number}", "tags": [{"key": key, "value": value} for key, value in tags.items()]}
    run: dict[str, Any] = rest.post("runs/create", body)["run"]
    return run


def _finish(rest: MlflowRest, run: dict[str, Any], metric: str, trial: SearchTrial) -> None:
    said = {"seconds": trial.seconds} | ({} if trial.loss is None else {f"{metric}_validation": trial.loss})
    metrics = [{"key": key, "value": value, "timestamp": int(run["info"]["start_time"]), "step": 0} for key, value in said.items()]
    params = [{"key": key, "value": str(value)} for key, value in trial.params.items()]
    run_id = run["info"]["run_id"]
    rest.post("runs/log-batch", {"run_id": run_id, "metrics": metrics, "params": params})
    rest.post("runs/update", {"run_id": run_id, "status": "FINISHED"})
