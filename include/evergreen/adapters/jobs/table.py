"""Table `jobs` in words both drivers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evergreen.core.jobs import JobFormat, JobKind, JobState
from evergreen.ports.jobs import Job

_NAMES = (
    *("id", "subject", "model", "version", "input_format", "output_format", "kind", "source", "content_hash", "state", "rows_done", "rows_total"),
    *("errors", "error", "token", "attempts", "created_at", "started_at", "finished_at", "result_bytes"),
)
COLUMNS = ", ".join(_NAMES)
CLAIMABLE = """(j.state = 'queued' OR (j.state = 'running' AND j.lease_until < clock_timestamp()))
    AND (j.version IS NOT NULL OR EXISTS (SELECT FROM champions c WHERE c.model = j.model))"""
RUNNING = "SELECT count(*) FROM jobs WHERE state = 'running' AND lease_until >= clock_timestamp()"


def job_of(row: Mapping[str, Any], ahead: int = 0) -> Job:
    kinds = {"kind": None if row["kind"] is None else JobKind(row["kind"]), "state": JobState(row["state"])}
    formats = {name: JobFormat(row[name]) for name in ("input_format", "output_format")}
    return Job(**{name: row[name] for name in _NAMES} | kinds | formats, ahead=ahead)
