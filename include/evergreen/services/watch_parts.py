"""Every part is asked whether it does its work; what changes is said: `service_health_check_failed`, `service_recovered`.

Guarantee: a part that fails is said once, and once that it is back. An alert normally comes from the policy, which reads the event from
Kafka. Where that way itself is broken (Kafka, Postgres or intake fails) the monitor records the alert itself, in the same group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from evergreen.contracts.actions import SeverityWord
from evergreen.contracts.events import ServiceHealth
from evergreen.core.clock import wall_now
from evergreen.core.monitoring import Health, probed
from evergreen.services.record_changes import AlertText, Change, RecordChanges

FAILED, RECOVERED = "service_health_check_failed", "service_recovered"
ALERT_PATH = frozenset({"kafka", "postgres", "intake"})
"""What an event needs to become an alert through the policy."""
SERVING = "serving"
_AT_ONCE = 4


@dataclass(frozen=True)
class Probe:
    service: str
    severity: SeverityWord
    """Of its failure."""
    fault: Callable[[], str | None]
    """What is wrong, or None. May take seconds, never hangs."""


REPEAT = timedelta(minutes=10)
"""How often a failure that lasts is said again: the answer to it may have been held back, or not have been enough."""


class WatchParts:
    def __init__(
        self, probes: Sequence[Probe], record: RecordChanges, *, failures: int, starting: timedelta = timedelta(0), wall: Callable[[], datetime] = wall_now
    ) -> None:
        """`starting`: how long from now on a part that did not answer yet is waited for."""
        self._starts_until = wall() + starting
        self._wall = wall
        self._probes = probes
        self._record = record
        self._failures = failures
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="probe")
        self.states: dict[str, Health] = {probe.service: Health() for probe in probes}

    def run(self) -> Mapping[str, Health]:
        """One round."""
        starting = self._wall() < self._starts_until
        for probe, fault in zip(self._probes, self._pool.map(lambda one: one.fault(), self._probes), strict=True):
            self.states[probe.service] = probed(self.states[probe.service], fault, failures=self._failures, starting=starting)
        by_itself = any(self.states[name].failing for name in ALERT_PATH if name in self.states)
        for probe in self._probes:
            health = self.states[probe.service]
            if health.failing is not None:
                self._record.note(_change(probe, health, by_itself=by_itself or probe.service in ALERT_PATH))
        return self.states

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _change(probe: Probe, health: Health, *, by_itself: bool) -> Change:
    name, failing = probe.service, bool(health.failing)
    detail = health.detail if failing else "it does its work again"
    message = f"{name}: {detail}. See `evergreen status` and `evergreen logs {name}`."
    detail_ko = f"응답하지 않습니다({detail})" if failing else "다시 동작합니다"
    message_ko = f"{name}: {detail_ko}. `evergreen status`와 `evergreen logs {name}`로 확인하세요."
    text = AlertText(f"{name}|{FAILED}", f"{FAILED}: {name}", message, f"서비스 상태 확인 실패: {name}", message_ko)
    return Change(
        name=f"health:{name}",
        firing=failing,
        severity=probe.severity,
        subject=name,
        event_type=FAILED if failing else RECOVERED,
        payload=ServiceHealth(service_name=name, detail=detail, severity=probe.severity if failing else "low"),
        alert=text,
        policy_alerts=not by_itself,
        repeat=REPEAT,
        names_version=failing and name == SERVING,
    )
