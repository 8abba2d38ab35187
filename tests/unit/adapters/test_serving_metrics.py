"""What the monitor reads is what serving writes: both sides of `/metrics`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from evergreen.adapters.host import host_numbers, memory_bytes
from evergreen.adapters.serving_metrics import ServingMetrics
from evergreen.core.errors import Unavailable
from evergreen.core.traffic import CPU, IN_FLIGHT, MEMORY, READ, WORKERS, gauge, traffic_of
from serving.metrics import Metrics


class Answer:
    body = b""


@pytest.fixture
def served() -> Iterator[tuple[Answer, str]]:
    answer = Answer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield answer, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_number_the_monitor_uses_is_one_serving_tells(served: tuple[Answer, str]) -> None:
    answer, url = served
    metrics = Metrics()
    metrics.used()
    metrics.workers.set(1)
    metrics.entered()
    metrics.requests.labels("/predict/video", "POST", "500").inc(3)
    metrics.seconds.labels("/predict/video").observe(0.2)
    metrics.looked_up("l1", True)
    metrics.looked_up("l2", False)
    metrics.flush()
    answer.body = metrics.render()
    found = ServingMetrics(url).read()
    assert {name for name, _ in found} == READ
    traffic = traffic_of(found)
    assert (traffic.requests, traffic.errors, traffic.timed, traffic.hits, traffic.misses) == (3, 3, 1, 1, 1)
    assert traffic.seconds == pytest.approx(0.2)
    assert dict(traffic.buckets)[0.25] == 1
    assert (gauge(found, WORKERS), gauge(found, IN_FLIGHT)) == (1, 1)
    assert (gauge(found, CPU) or 0) > 0
    assert 0 < (gauge(found, MEMORY) or 0) < memory_bytes()


def test_an_answer_that_is_no_metrics_is_no_answer(served: tuple[Answer, str]) -> None:
    answer, url = served
    answer.body = b"<html>an error page of a proxy</html>"
    with pytest.raises(Unavailable):
        ServingMetrics(url).read()


def test_the_host_tells_its_load_and_memory() -> None:
    found = host_numbers()
    assert found["load_percent"] >= 0
    assert 0 < found["memory_percent"] < 100
