"""What people do with items and with what was recommended to them, taken in: published, acknowledged (`services.told_events`).

Nothing is applied here. Whoever asks for a list with the position of the acknowledged event gets one that reflects it, or is told that none
does yet (`services.recommend`)."""

from __future__ import annotations

from dataclasses import dataclass

from evergreen.contracts.business import BusinessFeedbackReceived, RecommendationClicked, UserInteraction
from evergreen.services.told_events import Acknowledged, Statement, TellEvents

SOURCE = "/serving/movie_recommender"
_Payload = UserInteraction | RecommendationClicked | BusinessFeedbackReceived


@dataclass(frozen=True)
class Repeatable:
    """What makes a repeat the same statement."""

    key: str | None
    traceparent: str


class TakeInteractions:
    def __init__(self, tell: TellEvents) -> None:
        self._tell = tell

    async def interaction(self, said: UserInteraction, repeat: Repeatable) -> Acknowledged:
        """Raises InvalidRequest, KeyReused, Unavailable; so do the others."""
        return await self._run("user_interaction", said, repeat)

    async def click(self, said: RecommendationClicked, repeat: Repeatable) -> Acknowledged:
        return await self._run("recommendation_clicked", said, repeat)

    async def feedback(self, said: BusinessFeedbackReceived, repeat: Repeatable) -> Acknowledged:
        return await self._run("business_feedback_received", said, repeat)

    async def _run(self, kind: str, said: _Payload, repeat: Repeatable) -> Acknowledged:
        data = said.model_dump(mode="json")
        statement = Statement(
            type=kind,
            source=SOURCE,
            subject=said.user_id,
            data=data,
            kind=kind,
            of=(said.user_id,),
            content=data,
            key=repeat.key,
            traceparent=repeat.traceparent,
        )
        return await self._tell.run(statement)
