"""Run as a program, with Airflow's environment: prints what the DAG folder holds as JSON, as the dag-processor sees it."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

HEAVY = ("evidently", "mlflow", "numpy", "pandas", "pyarrow", "scipy", "skops", "sklearn", "psycopg2")


def describe(dag: Any) -> dict[str, Any]:
    asset = dag.timetable.asset_condition
    return {
        "tags": sorted(dag.tags),
        "doc": dag.doc_md,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "run_types": sorted(run_type.value for run_type in dag.allowed_run_types),
        "params": {name: {"default": param.value, **param.schema} for name, param in dag.params.items()},
        "asset": asset.uri,
        "watchers": [list(watcher.trigger.serialize()) for watcher in asset.watchers],
        "streams": [repr(watcher.trigger.shared_stream_key()) for watcher in asset.watchers],
        "tasks": {
            task.task_id: {
                "type": task.task_type,
                "retries": task.retries,
                "teardown": task.is_teardown,
                "trigger_rule": str(task.trigger_rule),
                "timeout": (task.execution_timeout.total_seconds() if task.execution_timeout else None) or getattr(task, "timeout", None),
                "on_failure": [call.__name__ for call in task.on_failure_callback],
                "then": sorted(task.downstream_task_ids),
            }
            for task in dag.tasks
        },
    }


def main(folder: str) -> None:
    from airflow.dag_processing.dagbag import DagBag

    light = {name for name in HEAVY if name in sys.modules}
    begun = time.perf_counter()
    bag = DagBag(folder, bundle_path=None, safe_mode=False)
    seconds = time.perf_counter() - begun
    print(  # noqa: T201 - the program's answer
        json.dumps(
            {
                "errors": {file: str(error) for file, error in bag.import_errors.items()},
                "seconds": seconds,
                "heavy": sorted({name for name in HEAVY if name in sys.modules} - light),
                "dags": {dag_id: describe(dag) for dag_id, dag in sorted(bag.dags.items())},
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
