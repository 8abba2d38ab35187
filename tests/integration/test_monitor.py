"""The monitor among real parts: what fails and comes back is said once through Kafka, and with Kafka away there is an alert all the same."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from urllib.request import urlopen

import psutil
import pytest

from evergreen.adapters.kafka import KafkaMessenger, KafkaPublisher
from evergreen.bootstrap import Parts
from evergreen.local_stack.home import Home
from evergreen.local_stack.supervision import Supervisor
from evergreen.local_stack.testing import stack
from tests.support.intake_stack import IntakeStack, until

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(240)]
FAILED, RECOVERED = "service_health_check_failed", "service_recovered"


class Watched(IntakeStack):
    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(Home(self.parts.settings.home))

    def taken_in(self, event_type: str, service: str) -> int:
        """How often intake recorded it, that is: how often it went through Kafka."""
        found = self.ask("SELECT count(*) FROM events WHERE type = %s AND subject = %s AND source = '/monitor'", event_type, service)
        return int(found[0][0])

    def said(self, event_type: str, service: str) -> int:
        """Rows of the outbox, sent or not."""
        text = f'%"type":"{event_type}"%'
        return int(self.ask("SELECT count(*) FROM outbox WHERE key = %s AND convert_from(value, 'UTF8') LIKE %s", service.encode(), text)[0][0])

    def shows(self, service: str) -> float | None:
        """Its gauge in the monitor's own metrics."""
        port = self.parts.settings.monitor.port
        try:
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return None
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f'evergreen_part_up{{service="{service}"}}')), None)

    def alerts(self) -> list[str]:
        return [str(title) for (title,) in self.ask("SELECT title FROM alerts WHERE event_source = '/monitor' ORDER BY recorded_at")]

    def megabytes(self) -> float:
        process = self.process("monitor")
        assert process is not None
        return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)]) / 2**20


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    for name, value in {"PROBE_SECONDS": "0.5", "FAILURES": "2", "PUBLISH_SECONDS": "1"}.items():
        monkeypatch.setenv(f"EVERGREEN_MONITOR__{name}", value)
    with stack({"postgres", "kafka", "redis", "intake", "monitor"}) as settings:
        publisher = KafkaPublisher(settings.kafka)
        yield Watched(Parts(settings), publisher, KafkaMessenger(settings.kafka))
        publisher.close()


def test_a_part_that_fails_is_said_once_and_its_return_once_even_by_a_restarted_monitor(watched: Watched) -> None:
    until(lambda: all(watched.shows(part) == 1.0 for part in ("postgres", "kafka", "redis", "intake")), 30)
    assert watched.said(FAILED, "redis") == 0

    watched.supervisor.stop("redis:redis")
    until(lambda: watched.taken_in(FAILED, "redis") == 1, 20, watched.alerts)
    watched.kill_and_await("monitor")
    until(lambda: watched.shows("redis") == 0.0, 30)
    watched.supervisor.start("redis:redis")
    until(lambda: watched.taken_in(RECOVERED, "redis") == 1, 20)
    assert [watched.said(what, "redis") for what in (FAILED, RECOVERED)] == [1, 1]
    assert watched.megabytes() < 120

    watched.supervisor.stop("kafka:kafka")
    until(lambda: f"[critical] {FAILED}: kafka" in watched.alerts(), 30)
    assert watched.said(FAILED, "kafka") == 1
    assert watched.taken_in(FAILED, "kafka") == 0
    process = watched.process("monitor")
    assert isinstance(process, psutil.Process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) is not None or not process.is_running()
