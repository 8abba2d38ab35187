"""Absence is an event: a day whose list was released and whose batch did not arrive is a `data_quality_issue` of kind `batch_missing`.

Said once per day and dataset; that the day came after all is recorded too. Not evaluated while the clock is replayed, and what lies
before the last change to wall time is not missed; nor is anything of a dataset that never had a batch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, timedelta

from evergreen.contracts.events import DataQualityIssue, Window
from evergreen.core.absence import missing_days
from evergreen.core.clock import ClockReading, wall_now
from evergreen.core.concerns import Catalogue
from evergreen.core.quality import BATCH_MISSING
from evergreen.core.release import DEFAULT_ZONE, released_at
from evergreen.ports.monitoring import Feed, MonitorStore, WatchRow
from evergreen.services.record_changes import AlertText, Change, RecordChanges

EVENT = "data_quality_issue"
_PREFIX = "batch:"


class WatchBatches:
    def __init__(
        self,
        store: MonitorStore,
        reading: Callable[[], ClockReading],
        record: RecordChanges,
        catalogue: Catalogue,
        *,
        grace: timedelta,
        zone: str = DEFAULT_ZONE,
        irregular: Collection[str] = (),
    ) -> None:
        """`irregular`: datasets whose rows come as they come."""
        self._store = store
        self._reading = reading
        self._record = record
        self._catalogue = catalogue
        self._grace = grace
        self._zone = zone
        self._irregular = frozenset(irregular)

    def run(self) -> Mapping[str, Sequence[date]]:
        """Missing days by dataset."""
        clock = self._reading()
        if clock.mode == "replay":
            return {}
        now = clock.at(wall_now())
        with self._store.transaction() as tx:
            feeds, firing = tx.observations.feeds(), tx.watches.firing(_PREFIX)
        missing: dict[str, Sequence[date]] = {}
        for feed in (one for one in feeds if one.dataset not in self._irregular):
            since = max(clock.set_at, feed.first_taken_in)
            missing[feed.dataset] = missing_days(feed.covered, since=since, now=now, grace=self._grace, zone=self._zone)
            for day in missing[feed.dataset]:
                self._record.note(self._missed(feed.dataset, day))
        for row in firing:
            self._end(row, {feed.dataset: feed for feed in feeds}, missing)
        return missing

    def _missed(self, dataset: str, day: date) -> Change:
        payload = DataQualityIssue(
            dataset=dataset,
            kind=BATCH_MISSING,
            severity="medium",
            window=Window(first_day=day, last_day=day),
            detail=f"the list of {day}, released at {released_at(day, self._zone).isoformat()}, did not arrive",
        )
        return Change(f"{_PREFIX}{dataset}:{day}", True, payload.severity, dataset, EVENT, payload)

    def _end(self, row: WatchRow, feeds: Mapping[str, Feed], missing: Mapping[str, Sequence[date]]) -> None:
        dataset, _, text = row.name.removeprefix(_PREFIX).rpartition(":")
        day = date.fromisoformat(text)
        if day in missing.get(dataset, ()):
            return
        arrived = dataset in feeds and any(first <= day <= last for first, last in feeds[dataset].covered)
        # Looked for no more without having come (the clock began anew, or two weeks went by): closed, and nothing is claimed.
        title = f"{BATCH_MISSING}: {dataset} {day}"
        alert = AlertText(self._grouping(dataset), title, f"The list of {day} arrived.", title, f"{day} 목록이 도착했습니다.") if arrived else None
        self._record.note(Change(row.name, False, row.severity, dataset, alert=alert))

    def _grouping(self, dataset: str) -> str:
        """The policy's, whose alert said that it was missing."""
        fed = sorted(model for model, datasets in self._catalogue.items() if dataset in datasets)
        return f"{fed[0] if fed else dataset}|{BATCH_MISSING}"
