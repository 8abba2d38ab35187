"""How good lists are, measured on what users chose afterwards: every movie is ranked, those a user chose before are left out.

Recall@20 is the share of a user's later choices among the first twenty; NDCG@10 weighs each hit by 1 / log2(1 + rank) and divides by the best that
user's list could have reached; both are means over users. Different items are counted over everybody's first ten. Novelty is the mean over them of
-log2 of the share of users who had chosen the item before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evergreen.domains.movies.factors import Factors, faded
from evergreen.domains.movies.model import popular_factors
from evergreen.domains.movies.names import AT, MODEL, MOVIE, USER
from evergreen.domains.movies.ranker import MovieRanker
from evergreen.domains.movies.train import fit
from evergreen.ports.recommending import Ranker

RECALL_AT, NDCG_AT = 20, 10
_DAY = 86_400.0
_DISCOUNT = 1.0 / np.log2(np.arange(NDCG_AT) + 2.0)
History = Sequence[tuple[float, float]]
"""(movie, weight), newest first; the weights are equal, and fade with the time since the newest."""
Lists = Callable[[History], Sequence[float]]
"""A history -> movies, best first, none of the history; at least RECALL_AT where there are so many."""


@dataclass(frozen=True)
class Split:
    """Rows of the feature table."""

    name: str
    before: pd.DataFrame
    after: pd.DataFrame
    now: pd.Timestamp | None
    """Of the whole split; None: each user's own, with the newest row before."""


@dataclass(frozen=True)
class Figures:
    users: int
    """With something to find."""
    recall_at_20: float
    ndcg_at_10: float
    different_items: int
    novelty: float


def per_user(table: pd.DataFrame, share: float = 0.8) -> Split:
    """The first part of each user's rows, and the rest."""
    rows = table.sort_values([USER, AT, MOVIE], kind="stable")
    place, size = rows.groupby(USER).cumcount(), rows.groupby(USER)[MOVIE].transform("size")
    early = place < np.floor(size * share)
    return Split("per user", rows[early], rows[~early], None)


def by_time(table: pd.DataFrame, share: float = 0.8) -> Split:
    """One moment for all: most users after it are new."""
    now = pd.Timestamp(table[AT].quantile(share))  # type: ignore[arg-type]  # of instants it is one
    return Split("by time", table[table[AT] < now], table[table[AT] >= now], now)


def compared(split: Split, seed: int = 0, served: Callable[[Ranker], Lists] | None = None) -> Mapping[str, Figures]:
    """The model and its rival, both made of the rows before. `served`: lists as they are really made from a ranker, measured too."""
    fitted = fit(split.before, seed)
    factors = fitted.estimators["primary"].factors()
    lists = {MODEL: by_scores(factors), "popular": by_scores(popular_factors(split.before))}
    if served is not None:
        lists["as served"] = served(MovieRanker(f"{MODEL}@0", factors, fitted.card))
    return {name: measure(one, split) for name, one in lists.items()}


def by_scores(factors: Factors) -> Lists:
    """A version's word alone, without what the online worker knows beside it."""

    def lists(history: History) -> Sequence[float]:
        places = factors.places(np.array([movie for movie, _ in history], dtype=np.float64))
        weights = np.array([weight for _, weight in history], dtype=np.float64)
        scores = factors.scores(places[places >= 0], weights[places >= 0])
        scores[places[places >= 0]] = -np.inf
        best = np.argsort(-scores, kind="stable")[:RECALL_AT]
        return [float(movie) for movie in factors.movies[best].tolist()]

    return lists


def measure(lists: Lists, split: Split) -> Figures:
    before = split.before.sort_values([USER, AT, MOVIE], kind="stable").groupby(USER)
    histories = {user: _history(rows, split.now) for user, rows in before}
    chosen = split.before.groupby(MOVIE)[USER].nunique()
    recalls, gains, shown = [], [], list[float]()
    for user, movies in split.after.groupby(USER)[MOVIE]:
        wanted = set(movies.tolist())
        found = list(lists(histories.get(user, ())))[:RECALL_AT]
        hits = np.array([movie in wanted for movie in found], dtype=np.float64)
        recalls.append(hits.sum() / len(wanted))
        top = hits[:NDCG_AT]
        gains.append(float((top * _DISCOUNT[: len(top)]).sum() / _DISCOUNT[: len(wanted)].sum()))
        shown += found[:NDCG_AT]
    known = max(len(histories), 1)
    surprise = [-np.log2(max(float(chosen.get(movie, 0)), 1.0) / known) for movie in shown]
    return Figures(len(recalls), float(np.mean(recalls)), float(np.mean(gains)), len(set(shown)), float(np.mean(surprise)))


def _history(rows: Any, now: pd.Timestamp | None) -> History:
    away = 0.0 if now is None else (now - rows[AT].iloc[-1]).total_seconds() / _DAY
    return [(movie, faded(away)) for movie in reversed(rows[MOVIE].tolist())]
