"""What follows from interactions that are recorded: profiles, boosts, new lists, and the words about them.

Guarantee: done again from the start with the same interactions it changes nothing: a profile counts an event once, a boost said again renews its
end, a list that reflects as much is pushed no second time, and events keep their ids. Failure: the process dies between any two steps, or Redis
or Kafka is away (Unavailable). Remedy: the messages come again, or the batch in hand is tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from evergreen.contracts.business import RecommendationsPush, RecommendationsUpdated
from evergreen.contracts.envelope import Event, derived_id
from evergreen.core.as_of import write_as_of
from evergreen.core.boosts import ITEM_COSINE, ITEMS, SIMILAR_ITEMS, SIMILAR_USERS
from evergreen.core.clock import Clock, wall_now
from evergreen.core.errors import PublishFailed, Unavailable
from evergreen.core.recommending import CLICKED, POSITIVE, STRONG, Effect, Taste, effect_of, leaves_lists
from evergreen.ports.interactions import InteractionRow
from evergreen.ports.profiles import NewList, Place, Profiles
from evergreen.services.follow_champion import ServingVersion
from evergreen.services.make_list import ListMaker
from evergreen.services.rebuild_profiles import RebuildProfiles, by_user
from evergreen.services.similar_users import SimilarUsers, Tastes

SOURCE = "/recommender"
LIST, PUSHED = 20, 10
_STRONG_ITEMS = 10
"""Of one purchase, those similar users hear of."""


class Publisher(Protocol):
    def publish_all(self, events: Iterable[Event]) -> object:
        """Raises PublishFailed."""


Records = Callable[[ServingVersion, Mapping[str, Taste], Sequence[InteractionRow]], Sequence[Event]]
"""What is said of how well the version would have done: (version, tastes by user, positive interactions)."""


class React:
    def __init__(
        self,
        *,
        profiles: Profiles,
        tastes: Tastes,
        rebuild: RebuildProfiles,
        similar: SimilarUsers,
        champion: Callable[[], ServingVersion | None],
        publisher: Publisher,
        clock: Clock,
        records: Records,
    ) -> None:
        self._profiles = profiles
        self._tastes = tastes
        self._rebuild = rebuild
        self._similar = similar
        self._champion = champion
        self._publisher = publisher
        self._clock = clock
        self._records = records

    def run(self, rows: Sequence[InteractionRow], repeated: Sequence[InteractionRow] = ()) -> None:
        """`repeated`: they count elsewhere, but whoever waits for their place to be reflected must not wait for ever. Raises Unavailable: call again
        with the same rows."""
        if not rows and not repeated:
            return
        missing = self._profiles.apply(_told(rows, repeated))
        self._rebuild.users(missing)
        serving = self._champion()
        changed = [row for row in rows if leaves_lists(row.did)]  # a list that was kept would still hold it
        if serving is None or not changed:
            return
        maker, positive = serving.maker, [row for row in changed if row.kind in POSITIVE]
        boosted = self._lift_similar_items(maker, positive)
        users = list(by_user(changed))
        tastes = dict(zip(users, self._tastes.read(users, self._clock.now()), strict=True))
        tastes = {user: taste for user, taste in tastes.items() if taste.count}  # forgotten meanwhile
        self._lift_for_similar_users(maker, tastes, positive)
        lists = [self._list(maker, user, taste) for user, taste in tastes.items()]
        self._profiles.put_lists(lists)
        self._say(serving, tastes, lists, changed, boosted)

    def _lift_similar_items(self, maker: ListMaker, rows: Sequence[InteractionRow]) -> Mapping[str, Sequence[str]]:
        """Of each click on a recommendation, by the event's id: what was boosted."""
        near = {row.id: [item for item, _ in maker.ranker.similar(row.item_ids[0], at_least=ITEM_COSINE, most=ITEMS)] for row in rows if row.kind == CLICKED}
        if wanted := [(row.user_id, SIMILAR_ITEMS, item) for row in rows for item in near.get(row.id, ())]:
            self._profiles.boost(wanted)
        return near

    def _lift_for_similar_users(self, maker: ListMaker, tastes: Mapping[str, Taste], rows: Sequence[InteractionRow]) -> None:
        self._similar.know(maker.ranker, tastes)
        self._similar.refresh(maker.ranker, self._clock.now())
        strong = [row for row in rows if row.kind in STRONG]
        alike = self._similar.like(list(by_user(strong)))
        wanted = dict.fromkeys((other, SIMILAR_USERS, item) for row in strong for other in alike.get(row.user_id, ()) for item in row.item_ids[:_STRONG_ITEMS])
        if wanted:
            self._profiles.boost(list(wanted))

    def _list(self, maker: ListMaker, user: str, taste: Taste) -> NewList:
        items = maker.make(taste, LIST)
        about = {"user_id": user, "as_of": write_as_of(taste.as_of), "version": maker.ranker.version, "made": self._clock.now().isoformat()}
        return NewList(user, taste.count, {**about, "items": items}, {**about, "items": items[:PUSHED]})

    def _say(
        self,
        serving: ServingVersion,
        tastes: Mapping[str, Taste],
        lists: Sequence[NewList],
        rows: Sequence[InteractionRow],
        boosted: Mapping[str, Sequence[str]],
    ) -> None:
        newest = {row.user_id: row for row in rows}
        said = [_pushed(newest[one.user], one) for one in lists]
        said += [_updated(row, boosted[row.id]) for row in rows if row.kind == CLICKED]
        said += self._records(serving, tastes, [row for row in rows if row.kind in POSITIVE and row.user_id in tastes])
        try:
            self._publisher.publish_all(said)
        except PublishFailed as error:
            raise Unavailable(f"Kafka does not answer: {error}") from error


def _pushed(row: InteractionRow, new: NewList) -> Event:
    payload = RecommendationsPush(user_id=new.user, items=tuple(item["item_id"] for item in new.pushed["items"]))
    return _event("recommendations_push", row, payload.model_dump(mode="json"))


def _updated(row: InteractionRow, boosted: Sequence[str]) -> Event:
    payload = RecommendationsUpdated(user_id=row.user_id, trigger="recommendation_clicked", source_item=row.item_ids[0], boosted_items=tuple(boosted))
    return _event("recommendations_updated", row, payload.model_dump(mode="json"))


def _event(kind: str, row: InteractionRow, data: dict[str, object]) -> Event:
    produced = {"producedwall": wall_now().isoformat()}
    return Event(id=derived_id(kind, row.source, row.id), source=SOURCE, type=kind, subject=row.user_id, time=row.time, data=data, extensions=produced)


def _told(rows: Sequence[InteractionRow], repeated: Sequence[InteractionRow]) -> dict[str, list[tuple[Place, Effect | None]]]:
    """By user. Repeats after all that count: their places must not hide one that is not in yet."""
    found: dict[str, list[tuple[Place, Effect | None]]] = {}
    for row in rows:
        found.setdefault(row.user_id, []).append((row.place, effect_of(row.did)))
    for row in repeated:
        found.setdefault(row.user_id, []).append((row.place, None))
    return found
