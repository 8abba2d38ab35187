"""`video_performance@3` <-> ("video_performance", 3)."""

from __future__ import annotations

from evergreen.core.errors import NotFound


def parse_version(name: str) -> tuple[str, int]:
    model, at, number = name.rpartition("@")
    if not at or not model or not number.isdecimal():
        raise NotFound(f"{name!r} is not a version: write name@N, e.g. video_performance@3")
    return model, int(number)


def version_name(model: str, number: int | None) -> str | None:
    return None if number is None else f"{model}@{number}"
