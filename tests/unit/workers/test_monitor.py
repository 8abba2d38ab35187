"""The monitor worker's own parts: which parts it asks, what its metrics show, who watches while Postgres is away."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from evergreen.adapters.serving_metrics import ServingMetrics
from evergreen.core.errors import Unavailable
from evergreen.core.monitoring import Health
from evergreen.environment import child_environment
from evergreen.local_stack.home import Home
from evergreen.ports.monitoring import LedgerFigures, LoopFigures
from evergreen.services.snapshot import Snapshot
from evergreen.settings import Settings
from evergreen.settings_monitor import MonitorSettings
from evergreen.workers.monitor import STEPS
from evergreen.workers.monitor_metrics import METRICS, registry_of, success_ratio
from evergreen.workers.monitor_probes import SEVERITIES, expected_parts
from evergreen.workers.monitor_steps import WatchLeadership

NOWHERE = "postgresql://a:b@127.0.0.1:9/c"


def test_only_what_was_started_here_is_asked(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.make()
    home.manifest_file.write_text(json.dumps({"processes": {"redis": 1, "serving": 2, "guardian": 1, "monitor": 1}, "external": ["postgres", "airflow"]}))
    assert expected_parts(Settings(home=tmp_path)) == ["postgres", "serving", "redis", *(name for name in SEVERITIES if name.startswith("airflow"))]


def test_without_a_local_stack_all_parts_are_asked_unless_some_are_named(tmp_path: Path) -> None:
    assert expected_parts(Settings(home=tmp_path)) == list(SEVERITIES)
    assert expected_parts(Settings(home=tmp_path, monitor=MonitorSettings(parts=("kafka", "redis")))) == ["kafka", "redis"]


def test_metrics_show_the_loop() -> None:
    figures = LoopFigures({"data_ingested": 2}, {"accepted": 1}, {("retrain", "succeeded"): 3, ("retrain", "failed"): 1}, unsent=4, receive_p99=0.5)
    worth = {"video_performance": LedgerFigures(5, 12.5, 2, -0.25, 31.0), "new": LedgerFigures(1, 2.0, 0, None, 0.0)}
    figures = replace(figures, ledger=worth)
    snapshot = Snapshot({"redis": Health(failing=True), "kafka": Health()}, figures, {"evergreen-intake": 9}, {"video_performance": timedelta(seconds=30)})
    text = generate_latest(registry_of(snapshot)).decode()
    for line in (
        'evergreen_part_up{service="redis"} 0.0',
        'evergreen_events_last_day{type="data_ingested"} 2.0',
        "evergreen_action_success_ratio 0.75",
        'evergreen_consumer_lag{group="evergreen-intake"} 9.0',
        'evergreen_hop_p99_seconds{hop="receive"} 0.5',
        'evergreen_check_every_seconds{model="video_performance"} 30.0',
        'evergreen_ledger_retrains{model="new"} 1.0',
        'evergreen_ledger_cost_seconds{model="video_performance"} 12.5',
        'evergreen_ledger_closed{model="video_performance"} 2.0',
        'evergreen_ledger_realised{model="video_performance"} -0.25',
        'evergreen_ledger_avoided_loss{model="video_performance"} 31.0',
    ):
        assert f"\n{line}\n" in text
    assert 'service="kafka"' not in text  # nothing is known of it yet
    assert 'evergreen_ledger_realised{model="new"}' not in text  # nothing was compared yet


def test_every_metric_of_the_list_is_shown_and_no_other() -> None:
    assert {family.name for family in registry_of(Snapshot()).collect()} == set(METRICS)


def test_without_finished_actions_there_is_no_success_ratio() -> None:
    assert success_ratio(LoopFigures(actions={("retrain", "pending"): 3})) is None


def test_while_postgres_is_away_the_watching_goes_on() -> None:
    assert WatchLeadership(NOWHERE, "test").hold() is True


def test_the_steps_are_one_table_of_leaders() -> None:
    assert list(STEPS) == ["monitor-watch", "monitor-checks", "notify", "scale"]


def test_serving_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="/metrics"):
        ServingMetrics("http://127.0.0.1:9").read()


def test_it_starts_without_the_heavy_libraries(tmp_path: Path) -> None:
    code = "import sys, evergreen.workers.monitor, evergreen.bootstrap_monitor; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], env=child_environment(tmp_path), capture_output=True, text=True, check=True, timeout=60)
    assert {"mlflow", "pandas", "sklearn", "scipy", "numpy"} & set(done.stdout.split()) == set()
