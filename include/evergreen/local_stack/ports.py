"""Which port belongs to which part, moved together by EVERGREEN_PORT_OFFSET, and who holds a port that is taken."""

from __future__ import annotations

import errno
import socket
from contextlib import closing
from dataclasses import dataclass

import psutil

from evergreen.core.errors import StackError

BASE = {
    "kafka": 9092,
    "kafka-controller": 9093,
    "postgres": 5433,  # 5433 and 6380 leave a Postgres or Redis that is already on the machine alone
    "redis": 6380,
    "mlflow": 5000,
    "airflow-api": 8080,
    "serving": 8000,
    "dashboard": 8501,
    "monitor": 9108,
}
OFFSET_STEP = 100
LARGEST_OFFSET = 50_000


@dataclass(frozen=True)
class Ports:
    offset: int

    def of(self, part: str) -> int:
        return BASE[part] + self.offset


def is_free(port: int) -> bool:
    """Whether loopback can listen on it now. A connection in TIME_WAIT does not count as taken, as it does not for the parts."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def holder(port: int) -> str:
    """The program listening on a port, as far as this user may know: `postgres (pid 12)`, or an empty string."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.AccessDenied, PermissionError):
        return ""
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.NoSuchProcess:
                return ""
    return ""


def taken(ports: Ports, parts: set[str]) -> dict[str, int]:
    """The ports of these parts that somebody else already listens on."""
    return {part: ports.of(part) for part in BASE if part in parts and not is_free(ports.of(part))}


def refuse_taken(ports: Ports, parts: set[str]) -> None:
    """Raise a `StackError` naming each taken port, its part and, where known, the program that holds it."""
    occupied = taken(ports, parts)
    if not occupied:
        return
    lines = [f"port {port} ({part}) is taken" + (f" by {who}" if (who := holder(port)) else "") for part, port in occupied.items()]
    raise StackError("; ".join(lines) + ". Stop that program, or move every port: EVERGREEN_PORT_OFFSET=100 make up")


def free_port_offset(start: int = 0, parts: set[str] | None = None) -> int:
    """The first offset at or after `start` with which every part's port is free."""
    wanted = set(BASE) if parts is None else parts
    for offset in range(start, LARGEST_OFFSET + 1, OFFSET_STEP):
        if not taken(Ports(offset), wanted):
            return offset
    raise StackError("no free range of ports was found; close some programs that listen on loopback")
