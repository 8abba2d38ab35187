"""What serving answers about drift and quality, to be changed by a test."""

from __future__ import annotations

from typing import Any

HOSTILE = "<img src=x onerror=alert(1)>"
_TIME = "2025-08-07T00:00:06Z"


def window(last_day: str, score: float, *, model: str = "video_performance") -> dict[str, Any]:
    found = {"id": f"{model}-{last_day}", "model": model, "version": f"{model}@1", "first_day": last_day, "last_day": last_day, "n": 200}
    return {**found, "score": score, "drifted": score > 0.5, "time": _TIME}


def entry(last_day: str, score: float, **more: Any) -> dict[str, Any]:
    found = window(last_day, score, **more)
    return {**found, "affected": ["category_id", "age_hours"] if found["drifted"] else [], "lost": [], "pictured": found["drifted"]}


REPORTS = [entry("2025-08-06", 0.72), entry("2025-07-30", 0.02), entry("2025-07-30", 0.01, model="other")]
_CELL = {"statistic": 0.1, "q_value": 0.5, "drifted": False}
HEAT: dict[str, Any] = {
    "model": "video_performance",
    "windows": [window("2025-07-30", 0.02), window("2025-08-06", 0.72)],
    "features": [
        {"name": "category_id", "cells": [{**_CELL, "score": 0.0}, {"score": 0.9, "statistic": 0.69, "q_value": 0.0, "drifted": True}]},
        {"name": "hour", "cells": [None, {**_CELL, "score": 0.1}]},
    ],
    "left_off": 3,
}
BARS: list[dict[str, Any]] = [{"low": None, "high": 0.5}, {"low": 0.5, "high": 3.0}, {"low": 7.0, "high": 7.0}, {"low": 12345.0, "high": None}]


def feature(name: str, **changes: Any) -> dict[str, Any]:
    found = {"feature": name, "kind": "distribution", "statistic": 0.692, "threshold": 0.25, "score": 0.99, "drifted": True, "direction": HOSTILE}
    found |= {"test": "chi_square", "p_value": 0.0, "q_value": 2.85e-130, "weight": 0.06, "n_reference": 1406, "n_current": 207, "findings": []}
    return {**found, "method": "jensen_shannon", **changes}


def report(**changes: Any) -> dict[str, Any]:
    side = {"first_day": "2025-02-23", "last_day": "2025-06-15", "n": 1406}
    found = {**window("2025-08-06", 0.72), "action_id": None, "features": [feature("category_id"), feature("hour", drifted=False, q_value=0.4)]}
    found |= {"losses": [], "prediction": feature("prediction", drifted=False), "reference": side, "current": side, "notes": [HOSTILE]}
    return {**found, "picture": "made", "distributions": True, **changes}


def distributions(*, numeric: bool = False) -> dict[str, Any]:
    shares = ((0.25, 0.5), (0.25, 0.5), (0.5, 0.0))
    names: tuple[tuple[str | None, str | None], ...] = (("20", "게임"), ("77", None), (None, None))
    bars = [
        {"reference": before, "current": after, "label": label, "name_ko": name, "name_en": name, "low": float(at), "high": at + 1.0}
        for at, ((before, after), (label, name)) in enumerate(zip(shares, names, strict=True))
    ]
    curve = [{"value": 0.0, "reference": 0.2, "current": 0.1}, {"value": 3.0, "reference": 1.0, "current": 1.0}] if numeric else []
    about = {"report_id": "r", "feature": "hour" if numeric else "category_id", "numeric": numeric, "n_reference": 1406, "n_current": 207}
    return {**about, "bars": bars, "curve": curve, "unknown_reference": 0.0, "unknown_current": 0.1}


def batches() -> list[dict[str, Any]]:
    calm = {"dataset": "videos.KR", "batch_id": "b1", "first_day": "2025-07-24", "last_day": "2025-07-30", "rows": 350, "quarantined": 0}
    calm |= {"status": "accepted", "incident": False, "issues": [], "ingested_time": _TIME}
    issue = {"kind": "duplicate", "column": None, "count": 50, "share": 0.25, "detail": HOSTILE}
    return [{**calm, "batch_id": "b2", "last_day": "2025-08-06", "rows": 150, "quarantined": 50, "incident": True, "issues": [issue]}, calm]


def quality() -> dict[str, Any]:
    total = {"dataset": "videos.KR", "batches": 2, "rows": 500, "quarantined": 50, "flagged": 1, "incidents": 1, "rejected": 0}
    return {"datasets": [{**total, "last_day": "2025-08-06", "last_time": _TIME}], "batches": batches()}
