"""The monitor among real parts: what fails and comes back is said once through Kafka, and with Kafka away there is an alert all the same."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from urllib.request import urlopen

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
        found = self.ask(
            "SELECT count(*) FROM outbox WHERE topic = 'system.health' AND key = %s AND convert_from(value, 'UTF8')::jsonb ->> 'type' = %s",
            service.encode(),
            event_type,
        )
        return int(found[0][0])

    def part_up(self, service: str) -> float | None:
        return self.shows(f'evergreen_part_up{{service="{service}"}}')

    def shows(self, series: str) -> float | None:
        """A gauge of the monitor's own metrics."""
        port = self.parts.settings.monitor.port
        try:
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return None
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{series} ")), None)

    def alerts(self) -> list[str]:
        return [str(title) for (title,) in self.ask("SELECT title FROM alerts WHERE event_source = '/monitor' ORDER BY recorded_at")]

    def megabytes(self) -> float:
        process = self.process("monitor")
        assert process is not None
        return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)]) / 2**20


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    for name, value in {"PROBE_SECONDS": "0.5", "FAILURES": "2", "PUBLISH_SECONDS": "1", "STARTING_SECONDS": "5"}.items():
        monkeypatch.setenv(f"EVERGREEN_MONITOR__{name}", value)
    with stack({"postgres", "kafka", "redis", "intake", "monitor"}) as settings:
        publisher = KafkaPublisher(settings.kafka)
        yield Watched(Parts(settings), publisher, KafkaMessenger(settings.kafka))
        publisher.close()


def test_a_part_that_fails_is_said_once_and_its_return_once_even_by_a_restarted_monitor(watched: Watched) -> None:
    until(lambda: all(watched.part_up(part) == 1.0 for part in ("postgres", "kafka", "redis", "intake")), 30)
    assert watched.said(FAILED, "redis") == 0

    watched.supervisor.stop("redis:redis")
    until(lambda: watched.taken_in(FAILED, "redis") == 1, 20, watched.alerts)
    watched.kill_and_await("monitor")
    until(lambda: watched.part_up("redis") == 0.0, 30)
    watched.supervisor.start("redis:redis")
    until(lambda: watched.taken_in(RECOVERED, "redis") == 1, 20)
    assert [watched.said(what, "redis") for what in (FAILED, RECOVERED)] == [1, 1]
    assert watched.megabytes() < 120

    watched.supervisor.stop("kafka:kafka")
    until(lambda: f"[critical] {FAILED}: kafka" in watched.alerts(), 30)
    assert watched.said(FAILED, "kafka") == 1
    assert watched.taken_in(FAILED, "kafka") == 0

    watched.supervisor.stop("postgres:postgres")
    until(lambda: watched.part_up("postgres") == 0.0 and (watched.shows("evergreen_monitor_changes_waiting") or 0) > 0, 30)
    watched.supervisor.start("postgres:postgres")
    until(lambda: watched.part_up("postgres") == 1.0 and watched.shows("evergreen_monitor_changes_waiting") == 0.0, 30)
    until(lambda: f"[resolved] {FAILED}: postgres" in watched.alerts(), 10)
    assert watched.alerts().count(f"[critical] {FAILED}: postgres") == 1

    process = watched.process("monitor")
    assert process is not None
    process.send_signal(signal.SIGTERM)
    process.wait(15)
    assert not process.is_running()
