"""The movie domain's `Dataset`: interactions of users with movies, whoever announces them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from evergreen.domains.movies.names import AT, DATASET, ENTITY, SILVER, TIME, USER
from evergreen.ports.dataset import Checked, Dataset, OnlineFeatures, People

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
        online=_online,
        catalogue=lambda _silver: (),
        seen=False,
        daily=False,
        people=People(USER, AT),
    )


def _validate(received: pd.DataFrame, last_known: date) -> Checked:
    from evergreen.domains.movies.quality import validate

    return validate(received, last_known)


def _online(silver: pd.DataFrame, entities: Sequence[str]) -> Sequence[OnlineFeatures]:
    from evergreen.domains.movies.online import online

    return online(silver, entities)
