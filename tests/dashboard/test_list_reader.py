"""What serving pushes is kept for the view that looks, and nobody reads on for a view that is gone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest

from dashboard import list_reader
from dashboard.api_client import Api, connection_pool
from dashboard.list_reader import KEPT, ListReader
from tests.support.worker_processes import until


class Stream(httpx.SyncByteStream):
    """Server-sent events, then silence with heartbeats until the test says stop."""

    def __init__(self, first: int, count: int, stop: threading.Event) -> None:
        self._events, self._stop = range(first, first + count), stop

    def __iter__(self) -> Iterator[bytes]:
        for number in self._events:
            yield f"id: {number}-0\nevent: recommendations\ndata: {json.dumps({'number': number})}\n\n".encode()
        while not self._stop.wait(0.02):
            yield b":\n\n"


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    monkeypatch.setattr(list_reader, "AGAIN_SECONDS", 0.01)
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def reading(stop: threading.Event) -> Iterator[Callable[[Callable[[httpx.Request], httpx.Response]], ListReader]]:
    readers: list[ListReader] = []

    def begin(answer: Callable[[httpx.Request], httpx.Response]) -> ListReader:
        readers.append(ListReader(Api(connection_pool("http://serving", httpx.MockTransport(answer)), lambda: "secret"), "a/b"))
        return readers[-1]

    yield begin
    for reader in readers:
        reader.end()
    until(lambda: all(reader.state != "open" for reader in readers))


def numbers(reader: ListReader) -> list[int]:
    return [one.said["number"] for one in reader.look()]


def test_what_arrives_is_there_newest_first_and_never_more_than_is_kept(reading, stop) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, stream=Stream(1, KEPT + 5, stop))

    reader = reading(answer)
    until(lambda: len(reader.look()) == KEPT and numbers(reader)[0] == KEPT + 5)
    assert numbers(reader) == list(range(KEPT + 5, 5, -1))
    assert reader.state == "open"
    assert asked[0].url.raw_path == b"/recommendations/a%2Fb/stream"
    assert asked[0].headers["authorization"] == "Bearer secret"
    reader.end()
    until(lambda: reader.state == "ended")


def test_a_broken_stream_goes_on_behind_what_came(reading, stop) -> None:
    places: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        places.append(request.headers.get("last-event-id"))
        if len(places) == 2:
            return httpx.Response(503, json={"title": "draining"})
        if len(places) == 1:
            return httpx.Response(200, content=b'id: 1-0\ndata: {"number": 1}\n\n')
        return httpx.Response(200, stream=Stream(2, 1, stop))

    reader = reading(answer)
    until(lambda: numbers(reader) == [2, 1])
    assert places == [None, "1-0", "1-0"]


@pytest.mark.parametrize("status", [401, 403, 422])
def test_who_may_not_is_not_asked_again(reading, status: int) -> None:
    reader = reading(lambda _request: httpx.Response(status, json={"title": "no"}))
    until(lambda: reader.state == "refused")


def test_nobody_reads_on_for_a_view_that_is_gone(reading, stop, monkeypatch) -> None:
    monkeypatch.setattr(list_reader, "LEASE_SECONDS", 0.2)
    reader = reading(lambda _request: httpx.Response(200, stream=Stream(1, 1, stop)))
    until(lambda: reader.state == "ended")


def test_more_views_than_there_is_room_for_are_told(reading, stop, monkeypatch) -> None:
    monkeypatch.setattr(list_reader, "_seats", threading.BoundedSemaphore(1))
    first = reading(lambda _request: httpx.Response(200, stream=Stream(1, 1, stop)))
    until(lambda: first.state == "open")
    second = reading(lambda _request: httpx.Response(200, stream=Stream(1, 1, stop)))
    until(lambda: second.state == "full")
