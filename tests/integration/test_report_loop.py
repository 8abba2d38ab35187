"""The page of a retrain on its way from the verdict's event, through Kafka and the indexer's loop, into MLflow."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import pytest

from evergreen.adapters.kafka import KafkaPublisher
from evergreen.bootstrap import Parts
from evergreen.contracts.envelope import Event
from evergreen.contracts.events import ModelEvaluationCompleted
from evergreen.core.evaluation import Scorecard, gate
from evergreen.local_stack.testing import stack
from evergreen.ports.model import ModelSpec
from evergreen.services.candidates import Origin, new_version, version_row
from evergreen.services.training import train_candidate
from evergreen.settings import Settings
from evergreen.workers.indexer import Indexer
from tests.support.tiny import BREAK, NAME, tiny_rows, tiny_spec

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(300)]
SECONDS = 30.0


class TinyParts(Parts):
    @cached_property
    def specs(self) -> Mapping[str, ModelSpec]:
        return {NAME: tiny_spec()}


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    with stack({"postgres", "kafka", "mlflow"}) as made:
        yield made


def test_thirty_seconds_after_the_verdict_mlflow_holds_the_page(settings: Settings, tmp_path: Path) -> None:
    parts = TinyParts(settings)
    now = datetime(2025, 3, 26, 1, tzinfo=UTC)
    origin = Origin(uuid4(), "data_drift_high <script>", now)
    candidate = train_candidate(tiny_spec(), tiny_rows(90), now, BREAK)
    row = version_row(parts.registry.register(new_version(tiny_spec(), candidate, origin, 0.1)), origin)
    card = Scorecard(row.name, "median", (gate("rows", True, "140 labelled rows"),), date(2025, 3, 19), date(2025, 3, 25), 140)
    with parts.store.transaction() as tx:
        tx.versions.insert(row)
        tx.versions.judge(NAME, row.version, "approved", card.to_json())
    indexer = Indexer(parts)
    loop = indexer._reports_loop()
    thread = threading.Thread(target=loop.run, daemon=True)
    thread.start()
    assert loop.ready.wait(60)
    payload = ModelEvaluationCompleted(model_name=NAME, model_version=row.name, champion_version=None, approved=True, window=None, n=140, gates=card.gates)
    about = {"source": "/airflow/evaluate", "type": "model_evaluation_completed", "subject": NAME, "time": now - timedelta(days=1)}
    begun = time.monotonic()
    KafkaPublisher(settings.kafka).publish(Event(id=str(uuid4()), data=payload.model_dump(mode="json"), **about))
    client, pause = parts.registry._client(), threading.Event()
    while not [found for found in client.list_artifacts(row.run_id) if found.path == "report.html"]:
        assert time.monotonic() - begun < SECONDS
        pause.wait(0.2)
    kept = Path(client.download_artifacts(row.run_id, "report.html", str(tmp_path))).read_bytes()
    indexer.stop.set()
    thread.join(timeout=30)
    assert kept == parts.retrain_reports.html(row.name)
    assert b"data_drift_high &lt;script&gt;" in kept
