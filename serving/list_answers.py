"""Lists as they are given to users, by answer or by push, each with a name that clicks refer to.

Guarantee: a list that leaves for a user's screen has been told as shown before (`serving.exposures`), so that whoever counts clicks has heard of what was
clicked on, and the next list ranks down what was left alone. The same list of the same user has the same name however often it is given. What
somebody else looks at (an analyst, a dashboard) is not told: the user did not see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from evergreen.adapters.redis_lists import read_list
from evergreen.contracts.ids import derived_id
from evergreen.core.access import Principal, Role
from evergreen.core.as_of import AsOf, reflects, write_as_of
from evergreen.core.recommending import MODEL
from evergreen.ports.lists import ListTraces
from evergreen.ports.pushes import Pushed
from evergreen.services.recommend import KEPT, Recommend, Recommended, Wanted
from serving.experiments import Assigned
from serving.exposures import ExposureLog, ShownList


class _Item(msgspec.Struct):
    position: int
    item_id: str
    title: str
    score: float
    reason: str


class _Answer(msgspec.Struct):
    """`contracts.api_recommendations.RecommendationList`, which documents it."""

    user_id: str
    list_id: str
    items: list[_Item]
    model_version: str | None
    as_of: str
    reflected: bool | None
    made_at: datetime
    origin: str
    experiment: str | None
    variant: str | None
    degraded: bool
    degraded_reasons: Sequence[str]


_encode = msgspec.json.Encoder().encode


class ListAnswers:
    def __init__(
        self,
        recommend: Recommend,
        traces: ListTraces,
        exposures: ExposureLog,
        variant_of: Callable[[str, str], Assigned | None],
        now: Callable[[], datetime],
        tell: Callable[[str], None],
    ) -> None:
        """`variant_of(user, model)`; `tell(origin)` counts."""
        self._recommend, self._traces, self._exposures = recommend, traces, exposures
        self._variant_of, self._now, self._tell = variant_of, now, tell

    async def answer(self, user: str, k: int, diversity: float | None, categories: tuple[str, ...], as_of: AsOf, *, to: Principal, traceparent: str) -> bytes:
        """Raises NoChampion."""
        assigned = None if categories or diversity is not None else self._variant_of(user, MODEL)  # what a caller sets himself compares nothing
        version, params = _of(assigned)
        wanted = Wanted(user, k, params.get("diversity", diversity), categories, as_of, version, assigned is not None)
        return self._given(wanted, await self._recommend.run(wanted), assigned, to, traceparent)

    async def pushed(self, user: str, pushed: Pushed, to: Principal) -> bytes | None:
        """None for what is no list of this user's. Who is shown a variant of an experiment is pushed a list of that one."""
        made = read_list(pushed.body, user)
        if made is None:
            return None
        assigned = self._variant_of(user, MODEL)
        version, params = _of(assigned)
        wanted = Wanted(user, len(made.items) or KEPT, params.get("diversity"), as_of=made.as_of, version=version, tried=assigned is not None)
        kept = wanted.usual and not self._recommend.tries_on(user)
        found = Recommended(made, "stored") if kept else await self._recommend.run(wanted)
        return self._given(wanted, found, assigned, to, "")

    def _given(self, wanted: Wanted, found: Recommended, assigned: Assigned | None, to: Principal, traceparent: str) -> bytes:
        made = found.made
        items = [_Item(at, *item) for at, item in enumerate(made.items[: wanted.k], 1)]
        ids = [item.item_id for item in items]
        list_id = derived_id("list", wanted.user, made.made.isoformat(), made.version or "", *ids)
        if ids and (to.subject == wanted.user or Role.SERVICE in to.roles):
            self._exposures.shown(ShownList(list_id, wanted.user, MODEL, made.version, ids, self._now(), assigned, traceparent))
            self._traces.show(wanted.user, ids)
        self._tell(found.origin)
        answer = _Answer(
            user_id=wanted.user,
            list_id=list_id,
            items=items,
            model_version=made.version,
            as_of=write_as_of(made.as_of),
            reflected=reflects(made.as_of, wanted.as_of) if wanted.as_of else None,
            made_at=made.made,
            origin=found.origin,
            experiment=None if assigned is None else assigned.experiment,
            variant=None if assigned is None else assigned.variant,
            degraded=bool(found.degraded),
            degraded_reasons=found.degraded,
        )
        return _encode(answer)


def _of(assigned: Assigned | None) -> tuple[int | None, Mapping[str, float]]:
    """Version and parameters; the control's are nobody's."""
    return (None, {}) if assigned is None else (assigned.version, assigned.params)
