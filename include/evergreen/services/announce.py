"""Announcing a batch: written to the inbox, then said on `data.ingested`."""

from __future__ import annotations

import hashlib
import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.contracts.envelope import Event, derived_id
from evergreen.contracts.events import DataIngested, Window
from evergreen.core.clock import Clock, wall_now
from evergreen.core.release import released_at
from evergreen.ports.messaging import EventPublisher

if TYPE_CHECKING:
    import pandas as pd


class Announce:
    """Guarantee: announcing the same rows again sends the same event (id, time and content), which intake takes for the duplicate it is.
    Failure: Kafka does not acknowledge (PublishFailed). Remedy: announce again."""

    def __init__(self, publisher: EventPublisher, clock: Clock, inbox: Path) -> None:
        self._publisher = publisher
        self._clock = clock
        self._inbox = inbox

    def run(self, dataset: str, content: pd.DataFrame | Path, first_day: date, last_day: date) -> Event:
        """`content`: rows in the batch schema, or a file nobody could make such rows of, which goes as it is: ingest refuses it with an event."""
        batch_id = f"{dataset}.{first_day:%Y%m%d}-{last_day:%Y%m%d}"
        folder = self._inbox / dataset
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"{batch_id}.part"
        if isinstance(content, Path):
            shutil.copyfile(content, unfinished)
        else:
            content.to_parquet(unfinished, index=False)
        sha256 = hashlib.sha256(unfinished.read_bytes()).hexdigest()
        path = folder / (f"{batch_id}.{sha256[:8]}{content.suffix}" if isinstance(content, Path) else f"{batch_id}.parquet")
        unfinished.replace(path)
        payload = DataIngested(
            batch_id=f"{batch_id}.{sha256[:8]}",
            dataset=dataset,
            path=str(path),
            rows=0 if isinstance(content, Path) else len(content),
            window=Window(first_day=first_day, last_day=last_day),
            sha256=sha256,
        )
        event = Event(
            id=derived_id("data_ingested", dataset, batch_id, sha256),
            source="/app/loader",
            type="data_ingested",
            subject=dataset,
            time=min(self._clock.now(), released_at(last_day)),
            data=payload.model_dump(mode="json"),
            extensions={"producedwall": wall_now().isoformat()},
        )
        self._publisher.publish(event)
        return event
