"""What users do, from `business.*` into table `interactions`, see `services.record_in_bulk`.

Guarantee: afterwards `counted` holds those events of the batch that count: each event once, at the place on Kafka where it was recorded first.
A repeat of it elsewhere is in `repeated`; the same message delivered again counts again, and its user's profile knows its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evergreen.contracts.business import BusinessFeedbackReceived, RecommendationClicked, UserInteraction
from evergreen.contracts.envelope import Event
from evergreen.contracts.events import Payload
from evergreen.core.as_of import STREAMS
from evergreen.core.clock import Clock
from evergreen.core.recommending import CLICKED, kind_of_rating
from evergreen.ports.interactions import InteractionRow, InteractionStore, InteractionTransaction
from evergreen.ports.messaging import Received
from evergreen.ports.profiles import Place
from evergreen.services.record_in_bulk import Recorded, RecordInBulk

TOPICS = tuple(STREAMS)
GenresOf = Callable[[Sequence[str]], Mapping[str, Sequence[str]]]


class RecordInteractions:
    def __init__(self, store: InteractionStore, clock: Clock, topic_ids: Mapping[str, str], genres_of: GenresOf) -> None:
        """`topic_ids`: of the topics' present lives. `genres_of`: what is known of items now."""
        self._topic_ids = topic_ids
        self._genres_of = genres_of
        self._in_bulk = RecordInBulk[InteractionTransaction, InteractionRow](store, clock, self._row, self._keep)
        self.counted: list[InteractionRow] = []
        self.repeated: list[InteractionRow] = []

    def run(self, messages: Sequence[Received]) -> Recorded:
        """Raises Unavailable when Postgres is away: nothing of the batch is written then, call again with the same batch."""
        self.counted, self.repeated = [], []
        return self._in_bulk.run(messages)

    def _keep(self, tx: InteractionTransaction, rows: Sequence[InteractionRow]) -> int:
        forgotten = tx.interactions.forgotten(sorted({row.user_id for row in rows}))
        wanted = [row for row in rows if row.user_id not in forgotten or row.time > forgotten[row.user_id]]
        known = tx.interactions.record(wanted)
        for row in wanted:
            (self.counted if known.get(row.key, row.place) == row.place else self.repeated).append(row)
        return len({row.key for row in wanted} - set(known))

    def _row(self, event: Event, payload: Payload, message: Received) -> InteractionRow | None:
        place = Place(STREAMS[message.topic], self._topic_ids[message.topic], message.partition, message.offset)
        if isinstance(payload, UserInteraction):
            return self._made(event, place, payload.user_id, payload.interaction_type, payload.item_ids, _rating(payload.context), None, payload.context)
        if isinstance(payload, RecommendationClicked):
            return self._made(event, place, payload.user_id, CLICKED, (payload.item_id,), None, None, payload.recommendation_context)
        if isinstance(payload, BusinessFeedbackReceived):
            kind = kind_of_rating(payload.rating)
            return self._made(event, place, payload.user_id, kind, (payload.item_id,), payload.rating, payload.text, {})
        return None

    def _made(
        self, event: Event, place: Place, user: str, kind: str, items: tuple[str, ...], rating: float | None, note: str | None, context: Mapping[str, Any]
    ) -> InteractionRow:
        return InteractionRow(event.source, event.id, event.time, user, kind, items, rating, note, context, self._genres_of(items), place)


def _rating(context: Mapping[str, Any]) -> float | None:
    """A replayed rating says what it was: an item that was rated is left out of lists, however low."""
    said = context.get("rating")
    return float(said) if isinstance(said, int | float) and not isinstance(said, bool) else None
