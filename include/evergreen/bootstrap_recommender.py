"""What the recommender worker consists of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from evergreen.core.recommending import DATASET, MODEL, USER_COLUMN
from evergreen.services.follow_champion import FollowChampion, ServingVersion

if TYPE_CHECKING:
    from evergreen.adapters.redis_profiles import RedisProfiles
    from evergreen.bootstrap import Parts
    from evergreen.services.announce import Announce
    from evergreen.services.announce_interactions import AnnounceInteractions
    from evergreen.services.forget_user import ForgetUser
    from evergreen.services.react import React
    from evergreen.services.rebuild_profiles import RebuildProfiles
    from evergreen.services.record_interactions import RecordInteractions


class RecommenderParts:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @cached_property
    def profiles(self) -> RedisProfiles:
        from evergreen.adapters.redis_profiles import RedisProfiles

        return RedisProfiles(self._parts.redis)

    @cached_property
    def rebuild(self) -> RebuildProfiles:
        from evergreen.services.rebuild_profiles import RebuildProfiles

        return RebuildProfiles(self._parts.store, self.profiles)

    @cached_property
    def champion(self) -> FollowChampion:
        return FollowChampion(self._parts.store, MODEL, self.load)

    def load(self, version: int) -> ServingVersion:
        """Compiled in a child process the first time. Raises NotFound, Unavailable, ArtifactRefused, NotCompilable."""
        from evergreen.core.errors import NotCompilable
        from evergreen.ports.profiles import Ranks
        from evergreen.services.make_list import ListMaker

        spec = self._parts.spec(MODEL)
        found = self._parts.registry.compiled(spec, version)
        answering: Any = None if spec.answers is None else spec.answers(found.heads, found.card)
        if not isinstance(answering, Ranks):
            raise NotCompilable(f"{MODEL}@{version} ranks nothing")
        return ServingVersion(ListMaker(answering.ranker(f"{MODEL}@{version}")), found.score, spec.feature_names)

    @cached_property
    def react(self) -> React:
        from evergreen.domains.movies.live import feature_row
        from evergreen.services.react import React
        from evergreen.services.read_tastes import ReadTastes
        from evergreen.services.recommendation_records import RecommendationRecords
        from evergreen.services.similar_users import SimilarUsers

        tastes = ReadTastes(self._parts.store, self.profiles)
        return React(
            profiles=self.profiles,
            tastes=tastes,
            rebuild=self.rebuild,
            similar=SimilarUsers(self.profiles, tastes),
            champion=self.champion,
            publisher=self._parts.publisher,
            clock=self._parts.clock,
            records=RecommendationRecords(feature_row),
        )

    def record(self, topic_ids: Mapping[str, str]) -> RecordInteractions:
        from evergreen.services.record_interactions import RecordInteractions

        return RecordInteractions(self._parts.store, self._parts.clock, topic_ids, self._genres)

    def _genres(self, items: Sequence[str]) -> dict[str, Sequence[str]]:
        serving = self.champion()
        if serving is None:
            return {}
        return {item: genres for item in items if (genres := serving.maker.ranker.genres(item))}

    @cached_property
    def announce(self) -> AnnounceInteractions:
        from evergreen.domains.movies.live import batch_of
        from evergreen.services.announce_interactions import AnnounceInteractions

        return AnnounceInteractions(self._parts.store, self._parts.clock, self._announce, batch_of)

    def _announce(self) -> Announce:
        from evergreen.services.announce import Announce

        return Announce(self._parts.publisher, self._parts.clock, self._parts.settings.home / "data" / "inbox" / "live")

    @cached_property
    def forget(self) -> ForgetUser:
        from evergreen.adapters.feature_copies import RedisFeatureCopies
        from evergreen.adapters.lake_erasure import erase_rows
        from evergreen.services.forget_user import ForgetUser

        erase = partial(erase_rows, self._parts.settings.data_dir, DATASET, USER_COLUMN)
        return ForgetUser(self._parts.store, self.profiles, RedisFeatureCopies(self._parts.redis), erase, self._parts.clock)
