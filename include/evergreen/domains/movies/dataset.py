"""The movie domain's `Dataset`: interactions of users with movies, whoever announces them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from evergreen.domains.movies.names import AT, DATASET, ENTITY, SILVER, TIME
from evergreen.ports.dataset import Checked, Dataset

if TYPE_CHECKING:
    import pandas as pd


def movie_dataset() -> Dataset:
    return Dataset(
        name=DATASET,
        table=DATASET,
        scope={},
        columns=SILVER,
        key=(ENTITY, AT),
        day_column=TIME,
        entity_column=ENTITY,
        validate=_validate,
        gold={},
        online=lambda _silver, _entities: (),
        catalogue=lambda _silver: (),
        seen=False,
        daily=False,
    )


def _validate(received: pd.DataFrame, last_known: date) -> Checked:
    from evergreen.domains.movies.quality import validate

    return validate(received, last_known)
