"""What serving is told of a user of batches: what was liked last, and what was rated (`core.earlier`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evergreen.core.earlier import entity_of, features_of
from evergreen.core.recommending import HISTORY, LOW, LOW_RATING, OWNED, POSITIVE, RATED, STRONG
from evergreen.domains.movies.names import AT, ENTITY, HIGH_RATING, MOVIE, POSITIVE_RATING, RATING, TIME, USER, kind_of_rating
from evergreen.ports.dataset import OnlineFeatures

_KIND, _MS = "kind", "ms"


def online(silver: pd.DataFrame, entities: Sequence[str]) -> list[OnlineFeatures]:
    """Of the users of these interactions. What was liked once and disliked later is not liked; of those who only looked there is nothing."""
    users = {entity.rpartition(":")[0] for entity in entities}
    rows = silver[silver[USER].isin(users)].sort_values([AT, ENTITY], ascending=[False, True], kind="stable")
    rows = rows.assign(kind=_kinds(rows), ms=rows[AT].astype("datetime64[ms, UTC]").astype("int64"))
    rated = rows[rows["rating"].notna() | rows[_KIND].isin([*STRONG, LOW])].drop_duplicates(ENTITY)
    said = rows[rows[_KIND].isin([*POSITIVE, LOW])].drop_duplicates(ENTITY)
    liked = _newest(said[said[_KIND] != LOW], HISTORY).groupby(USER)
    histories = {user: list(zip(*one, strict=True)) for user, *one in liked[[MOVIE, _KIND, _MS]].agg(list).itertuples(name=None)}
    owned = dict(_newest(rated, OWNED).groupby(USER)[MOVIE].agg(list))
    days = rows.groupby(USER)[TIME].max()
    return [
        OnlineFeatures(entity_of(user), features_of(histories.get(user, ()), owned.get(user, ())), day.date())
        for user, day in zip(days.index.astype(str), days, strict=True)
        if user in histories or user in owned
    ]


def _kinds(rows: pd.DataFrame) -> pd.Series[str]:
    """Of each row; of a rating what it would have been live, but for those that say neither: they are no taste (training's measure)."""
    stars = rows["rating"]
    positive = [kind_of_rating(HIGH_RATING), kind_of_rating(POSITIVE_RATING)]
    of_rating = np.select([stars >= HIGH_RATING, stars >= POSITIVE_RATING, stars <= LOW_RATING], [*positive, LOW], RATED)
    return rows["interaction"].where(rows["interaction"] != RATING, pd.Series(of_rating, index=rows.index))


def _newest(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """Of each user; rows come newest first."""
    return rows[rows.groupby(USER).cumcount() < most]
