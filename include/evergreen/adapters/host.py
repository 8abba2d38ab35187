"""This machine's memory and load, from /proc and, in a container, from its cgroup. Linux; elsewhere memory is unknown and nothing is claimed."""

from __future__ import annotations

import os
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def memory_bytes() -> float:
    """What processes here may use at most; infinite where that is not known."""
    limits = [value for value in (_meminfo().get("MemTotal"), _limit()) if value]
    return min(limits) if limits else float("inf")


def host_numbers() -> dict[str, float]:
    """For `system_metrics` of service `host`."""
    memory, load = _meminfo(), os.getloadavg()[0]
    numbers = {"load_percent": 100 * load / (os.cpu_count() or 1)}
    if "MemTotal" in memory and "MemAvailable" in memory:
        numbers["memory_percent"] = 100 * (1 - memory["MemAvailable"] / memory["MemTotal"])
    return numbers


def _meminfo() -> dict[str, float]:
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return {}
    return {name: 1024 * float(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if rest.strip()}


def _limit() -> float | None:
    try:
        text = _CGROUP_LIMIT.read_text().strip()
    except OSError:
        return None
    return float(text) if text.isdigit() else None
