"""Batches of a folder into the loop: announced, and watched until they are in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from evergreen.core.errors import EvergreenError

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts
    from evergreen.contracts.events import DataIngested
    from evergreen.services.replay import Batch

Timeout = Annotated[float, typer.Option(min=1, help="Seconds to wait for them to be taken in; that goes on without us.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Announce and return.")]
TIMEOUT = 900.0


def load(made: Parts, dataset: str, batches: Sequence[Batch], *, timeout: float, no_wait: bool, as_json: bool) -> None:
    """Says what became of each batch; with `no_wait` that it was announced. Raises EvergreenError where a batch or a file could not be used, once
    all others are in."""
    from evergreen.cli.playing import announcer
    from evergreen.contracts.events import DataIngested

    announce, announced = announcer(made), list[DataIngested]()
    for batch in batches:
        event = announce.run(dataset, batch.rows, batch.first_day, batch.last_day)
        for file in batch.unreadable:
            announce.run(dataset, file, batch.first_day, batch.last_day)
        announced.append(DataIngested.model_validate(event.data))
        if no_wait:
            say_batch(batch, as_json, f"announced as {announced[-1].batch_id}", batch_id=announced[-1].batch_id)
    rejected = [] if no_wait else _watched(made, announced, timeout, as_json)
    fail_over_unreadable(batches)
    if rejected:
        raise EvergreenError(f"{len(rejected)} of {len(announced)} batches hold no row that can be used: {', '.join(rejected[:3])}; see `evergreen quarantine`")


def _watched(made: Parts, announced: Sequence[DataIngested], timeout: float, as_json: bool) -> list[str]:
    """Ids of those that were rejected."""
    from evergreen.services.await_batches import AwaitBatches

    if not as_json:
        typer.echo(f"{len(announced)} batches announced; Airflow's DAG `ingest` takes them in", err=True)
    rejected: list[str] = []
    for number, row in enumerate(AwaitBatches(made.store).run(announced, timeout), 1):
        if row.status == "rejected":
            rejected.append(row.batch_id)
        aside = f", {row.quarantined} set aside" if row.quarantined else ""
        more: dict[str, str | int] = {"batch_id": row.batch_id, "status": row.status, "quarantined": row.quarantined}
        say_days(row.first_day, row.last_day, row.rows, as_json, f"{row.status}{aside} ({number} of {len(announced)})", **more)
    return rejected


def fail_over_unreadable(batches: Sequence[Batch]) -> None:
    files = [file.name for batch in batches for file in batch.unreadable]
    if files:
        raise EvergreenError(
            f"{len(files)} files could not be read: {', '.join(files[:5])}{', …' if len(files) > 5 else ''}; the others are in. "
            "Repair or remove them and load again: what is in already changes nothing"
        )


def say_batch(batch: Batch, as_json: bool, said: str, **more: str) -> None:
    say_days(batch.first_day, batch.last_day, len(batch.rows), as_json, said, **more)


def say_days(first_day: date, last_day: date, rows: int, as_json: bool, said: str, **more: str | int) -> None:
    """`said` for people, `more` in JSON."""
    if as_json:
        typer.echo(json.dumps({"first_day": str(first_day), "last_day": str(last_day), "rows": rows, **more}))
    else:
        typer.echo(f"{first_day}…{last_day}  {rows:6} rows  {said}")
