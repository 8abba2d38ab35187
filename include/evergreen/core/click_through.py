"""Whether people click on a version's lists as they did in its first days.

Guarantee: a version whose lists are clicked on as before is called worse at most once in twenty versions, however often it is looked at
(`core.sequential`). One user counts once on each side, by the share of the lists he was shown that he clicked on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from evergreen.core.experiment_verdict import Counts, VariantFound, beside
from evergreen.core.performance import DROP_BOUND
from evergreen.core.sequential import ALPHA, Bounds

FIRST = timedelta(days=7)
"""A promotion's own window: what it is compared with later on."""
NEWEST = timedelta(days=7)
CLICK_WITHIN = timedelta(hours=1)
"""Of a list's being shown: those that are younger are not counted yet."""


@dataclass(frozen=True)
class ClickThrough:
    first: VariantFound
    now: VariantFound

    @property
    def drop(self) -> Bounds | None:
        """Relative; positive is worse. None: too little to say, in either time."""
        change = self.now.relative
        return None if change is None else Bounds(-change.point, -change.high, -change.low)

    @property
    def degraded(self) -> bool:
        return self.drop is not None and self.drop.low > DROP_BOUND

    def to_json(self) -> dict[str, Any]:
        said = {name: {"ctr": one.ctr and asdict(one.ctr), **_counted(one.counts)} for name, one in (("first", self.first), ("now", self.now))}
        return {**said, "drop": self.drop and asdict(self.drop), "degraded": self.degraded}


def click_through(first: Counts, now: Counts) -> ClickThrough | None:
    """None: nobody was shown a list."""
    if not first.users and not now.users:
        return None
    return ClickThrough(beside("first", first, None, ALPHA), beside("now", now, first, ALPHA))


def _counted(counts: Counts) -> dict[str, int]:
    return {"users": counts.users, "lists": counts.lists, "clicks": counts.clicks}
