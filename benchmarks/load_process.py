"""`python -m benchmarks.load_process`: a `Load` as JSON in, an `Outcome` as JSON out. Requests are bytes before the clock starts."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, cast

from benchmarks.load import NUMBER, Load, Outcome, percentile

PATIENCE_SECONDS = 15.0
"""For the last answers."""
SAMPLE_BYTES = 300
_now = time.perf_counter
"""The loop's own time is whole milliseconds."""


class _Requests:
    """Request bytes in turn."""

    def __init__(self, load: Load) -> None:
        bodies = Path(load.bodies).read_bytes().splitlines()
        head = "".join(f"{name}: {value}\r\n" for name, value in load.headers.items())
        whole = (_get(load.path, line, head) if load.method == "GET" else _post(load.path, line, head) for line in bodies)
        self._parts = [request.partition(NUMBER)[::2] if NUMBER in request else (request, None) for request in whole]
        self._next = itertools.count(load.first)
        self._skip = load.skip % len(self._parts)

    def __iter__(self) -> Iterator[bytes]:
        for before, after in itertools.islice(itertools.cycle(self._parts), self._skip, None):
            yield before if after is None else b"%b%010d%b" % (before, next(self._next), after)


def _post(path: str, body: bytes, head: str) -> bytes:
    start = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{head}content-length: {len(body)}\r\n\r\n"
    return start.encode() + body


def _get(path: str, rest: bytes, head: str) -> bytes:
    return f"GET {path}{rest.decode()} HTTP/1.1\r\nhost: 127.0.0.1\r\n{head}\r\n".encode()


class Generator:
    def __init__(self, load: Load, kept: BinaryIO | None = None) -> None:
        self._load = load
        self._kept = kept
        self._must_hold = load.must_hold.encode()
        self._requests = iter(_Requests(load))
        self._loop = asyncio.get_running_loop()
        self._connections: list[_Connection] = []
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[float] = deque()
        self._sent = 0
        self._answered = 0
        self._begun = self._until = self._last = 0.0
        self._times: list[float] = []
        self._errors: Counter[str] = Counter()
        self._sample = ""
        self._over = asyncio.Event()

    async def run(self) -> Outcome:
        for _ in range(self._load.connections):
            await self._loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._load.port)
        if not self._load.connections == len(self._connections):
            raise ConnectionError("a connection was closed at once")
        self._begun = self._last = _now()
        self._until = self._begun + self._load.seconds
        timer = self._loop.call_later(self._load.seconds, self._check_over)
        if self._load.rate:
            self._idle = deque(self._connections)
            await self._by_the_clock()
        else:
            for connection in list(self._connections):
                self._ask(connection, _now())
        try:
            await asyncio.wait_for(self._over.wait(), self._load.seconds + PATIENCE_SECONDS)
        except TimeoutError:
            self._errors["no answer"] += self._sent - self._answered
        timer.cancel()
        for connection in self._connections:
            connection.transport.abort()
        return self._outcome()

    async def _by_the_clock(self) -> None:
        for number in itertools.count():
            due = self._begun + number / self._load.rate
            if due >= self._until or not self._connections or self._stopped():
                self._until = _now()
                self._check_over()
                return
            await asyncio.sleep(max(0.0, due - _now()))
            if self._idle:
                self._ask(self._idle.popleft(), due)
            else:
                self._waiting.append(due)

    def _stopped(self) -> bool:
        return bool(self._load.stop) and Path(self._load.stop).exists()

    def joined(self, connection: _Connection) -> None:
        self._connections.append(connection)

    def _ask(self, connection: _Connection, due: float) -> None:
        self._sent += 1
        connection.send(next(self._requests), due)

    def answered(self, connection: _Connection, due: float, status: bytes, body: bytes) -> None:
        now = self._last = _now()
        self._answered += 1
        self._times.append(now - due)
        if status != b"200":
            self._failed(f"status {status.decode()}", body)
        elif self._must_hold not in body:
            self._failed("another answer than expected", body)
        if self._kept is not None:
            self._kept.write(body + b"\n")
        if self._waiting:
            self._ask(connection, self._waiting.popleft())
        elif self._load.rate:
            self._idle.append(connection)
            self._check_over()
        elif now < self._until and (not self._load.count or self._sent < self._load.count):
            self._ask(connection, now)
        else:
            self._check_over()

    def lost(self, connection: _Connection, asked: bool, reason: str) -> None:
        if self._over.is_set():
            return
        self._connections.remove(connection)
        self._idle = deque(one for one in self._idle if one is not connection)
        self._answered += asked
        if asked or not self._connections:  # an idle one may be closed at any time
            self._failed(f"connection lost: {reason}", b"")
        self._check_over()

    def _failed(self, kind: str, body: bytes) -> None:
        self._errors[kind] += 1
        self._sample = self._sample or body[:SAMPLE_BYTES].decode(errors="replace")

    def _check_over(self) -> None:
        done = self._answered == self._sent and not self._waiting
        if not self._connections or (done and (_now() >= self._until or 0 < self._load.count <= self._sent)):
            self._over.set()

    def _outcome(self) -> Outcome:
        times = sorted(self._times)
        p50, p95, p99 = (percentile(times, share) * 1000 for share in (0.5, 0.95, 0.99))
        return Outcome(len(times), self._last - self._begun, p50, p95, p99, dict(self._errors), self._sample)


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._buffer = b""
        self._due: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self._generator.joined(self)

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        ends = self._buffer.find(b"\r\n\r\n")
        if ends < 0:
            return
        head = self._buffer[:ends].lower()
        said = head.find(b"\r\ncontent-length:")
        if said < 0:
            self.transport.abort()  # such an answer's end cannot be told
            return
        length = int(head[said + 17 :].split(b"\r\n", 1)[0])
        body = self._buffer[ends + 4 :]
        if len(body) >= length and self._due is not None:
            due, self._due, self._buffer = self._due, None, b""
            self._generator.answered(self, due, head[9:12], body)

    def connection_lost(self, error: Exception | None) -> None:
        self._generator.lost(self, self._due is not None, type(error).__name__ if error else "closed")


def main() -> None:
    import uvloop

    load = Load(**json.load(sys.stdin))
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[-1:])
    gc.disable()

    async def run(kept: BinaryIO) -> Outcome:
        return await Generator(load, kept if load.keep else None).run()

    with Path(load.keep or os.devnull).open("wb") as kept:
        sys.stdout.write(json.dumps(asdict(uvloop.run(run(kept)))))


if __name__ == "__main__":
    main()
