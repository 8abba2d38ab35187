"""The parts of the monitor worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evergreen.adapters.host import memory_bytes
from evergreen.adapters.kafka_lag import KafkaLag
from evergreen.adapters.serving_metrics import ServingMetrics
from evergreen.core.clock import wall_now
from evergreen.services.backlogs import Backlogs
from evergreen.services.check_models import CheckModels
from evergreen.services.experiment_step import ExperimentStep
from evergreen.services.publish_metrics import PublishMetrics
from evergreen.services.quiescence import GROUPS
from evergreen.services.record_changes import RecordChanges
from evergreen.services.snapshot import Snapshot
from evergreen.services.watch_batches import WatchBatches
from evergreen.services.watch_parts import Probe, WatchParts
from evergreen.services.watch_serving import WatchServing

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts


class MonitorParts:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settings = parts.settings.monitor

    @cached_property
    def snapshot(self) -> Snapshot:
        return Snapshot()

    def record(self) -> RecordChanges:
        """One for each thread."""
        return RecordChanges(self._parts.store, self._parts.clock)

    @cached_property
    def backlogs(self) -> Backlogs:
        lag = KafkaLag(self._parts.settings.kafka.bootstrap_servers)
        return Backlogs(lag, GROUPS, wall_now, stuck_after=timedelta(seconds=self._settings.stuck_seconds))

    def watch_parts(self, probes: Sequence[Probe], record: RecordChanges) -> WatchParts:
        return WatchParts(probes, record, failures=self._settings.failures, starting=timedelta(seconds=self._settings.starting_seconds))

    def watch_serving(self, record: RecordChanges) -> WatchServing:
        serving = self._parts.settings.serving
        numbers = ServingMetrics(serving.url, self._parts.access.own_token("monitor"))
        return WatchServing(numbers, record, self._settings, min_workers=serving.min_workers, memory=memory_bytes, wall=wall_now)

    def watch_batches(self, record: RecordChanges) -> WatchBatches:
        grace = timedelta(minutes=self._settings.batch_grace_minutes)
        catalogue = {name: spec.datasets for name, spec in self._parts.specs.items()}
        irregular = [dataset.name for dataset in self._parts.datasets.values() if not dataset.daily]
        return WatchBatches(self._parts.store, self._parts.clock.reading, record, catalogue, grace=grace, irregular=irregular)

    @cached_property
    def experiments(self) -> ExperimentStep:
        return ExperimentStep(self._parts.store, self._parts.clock, self._parts.carry_out)

    @cached_property
    def check_models(self) -> CheckModels:
        return CheckModels(self._parts.store, self._parts.clock.reading, self._look, self._settings.pace, set(self._parts.specs))

    def _look(self, model: str, as_of: datetime) -> Mapping[str, Any]:
        """Built at the first look: what it needs is heavier than everything else here."""
        return self._parts.check_performance.look(model, as_of)

    @cached_property
    def publish(self) -> PublishMetrics:
        return PublishMetrics(self._parts.publisher)
