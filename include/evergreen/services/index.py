"""A processed batch, made findable: the catalogue, the online feature store and the seen index.

Guarantee: indexing a batch again changes nothing, and newer values are never replaced by older ones. Failure: a process dies between the
seen index and the database or before serving's copies were forgotten, Redis was emptied, an older batch comes late. Remedy: the batch
counts as indexed only with the last step, which tells serving's workers to drop what they keep; everything before is safe to repeat; a lost
seen index is rebuilt from silver, which already holds the batch. Failure: a person is forgotten while rows are on their way to the feature store.
Remedy: nothing is written then, the batch comes again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from evergreen.contracts.events import DataProcessed
from evergreen.core.errors import NotFound, Unavailable
from evergreen.core.generations import FEATURES
from evergreen.core.release import released_at
from evergreen.ports.dataset import Dataset, OnlineFeatures
from evergreen.ports.index import FeatureCopies, FeatureRow, IndexStore
from evergreen.ports.lake import Lake
from evergreen.ports.seen_index import SeenWriter
from evergreen.services.seen_index import fill_seen_index, items_by_day

if TYPE_CHECKING:
    import pandas as pd

log = structlog.get_logger(__name__)


class IndexBatch:
    def __init__(
        self, store: IndexStore, lake: Lake, datasets: Mapping[str, Dataset], models: Mapping[str, Sequence[str]], seen: SeenWriter, copies: FeatureCopies
    ) -> None:
        """`models`: by dataset, the models whose feature store it fills."""
        self._store = store
        self._lake = lake
        self._datasets = datasets
        self._models = models
        self._seen = seen
        self._copies = copies

    def run(self, batch: DataProcessed) -> bool:
        """False: nothing to do (indexed before, or a dataset this process does not know). Raises Unavailable: try again."""
        dataset = self._datasets.get(batch.dataset)
        if dataset is None:
            log.info("batch_of_another_process", dataset=batch.dataset, batch_id=batch.batch_id)
            return False
        with self._store.transaction() as tx:
            row = tx.batches.get(batch.dataset, batch.batch_id)
            sha256 = "" if row is None else row.sha256
            if tx.indexed_batches.has(batch.dataset, batch.batch_id, sha256):
                return False
        rows = self._lake.silver(batch.dataset, first_day=batch.window.first_day, last_day=batch.window.last_day)
        if dataset.seen:
            self._add_seen(dataset, rows)
        people = [] if dataset.people is None else [str(person) for person in rows[dataset.people.column].unique()]
        with self._store.transaction() as tx:
            forgotten = tx.interactions.forgotten(people)
        features = self._features(dataset, rows, forgotten)
        with self._store.transaction() as tx:
            if people:
                tx.interactions.hold()
                if tx.interactions.forgotten(people) != forgotten:
                    raise Unavailable("somebody was forgotten meanwhile")
            tx.videos.upsert(dataset.catalogue(rows))
            tx.online_features.upsert(features)
        self._forget_copies(features)
        with self._store.transaction() as tx:
            tx.generations.bump(FEATURES, "indexer")
            tx.indexed_batches.record(batch.dataset, batch.batch_id, sha256)
        log.info("batch_indexed", dataset=batch.dataset, batch_id=batch.batch_id, rows=len(rows), features=len(features))
        return True

    def _add_seen(self, dataset: Dataset, rows: pd.DataFrame) -> None:
        try:
            self._seen.add_many(items_by_day(dataset, rows))
        except NotFound:  # lost: silver holds this batch already
            fill_seen_index(self._seen, self._lake, list(self._datasets.values()))

    def _features(self, dataset: Dataset, rows: pd.DataFrame, forgotten: Mapping[str, datetime]) -> list[FeatureRow]:
        models = self._models.get(dataset.name, ())
        if not models or rows.empty:
            return []
        entities = [str(entity) for entity in rows[dataset.entity_column].unique()]
        known: Sequence[OnlineFeatures] = dataset.online(_remembered(dataset, self._lake.silver(dataset.name), forgotten), entities)
        return [FeatureRow(model, one.entity, one.features, released_at(one.day)) for model in models for one in known]

    def _forget_copies(self, features: Sequence[FeatureRow]) -> None:
        try:
            self._copies.forget([(row.model, row.entity) for row in features])
        except Unavailable as error:  # they expire by themselves in minutes
            log.warning("copies_not_forgotten", count=len(features), error=str(error))


def _remembered(dataset: Dataset, silver: pd.DataFrame, forgotten: Mapping[str, datetime]) -> pd.DataFrame:
    """Without what forgotten people did before: a folder may have been loaded again."""
    people = dataset.people
    if people is not None:
        for person, until in forgotten.items():
            silver = silver[(silver[people.column] != person) | (silver[people.at] > until)]
    return silver
