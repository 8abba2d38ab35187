"""The recommender worker as it runs, but for the version: a tiny one where a registered one would be loaded."""

from __future__ import annotations

import sys

from evergreen.bootstrap import Parts
from evergreen.core.recommending import MODEL
from evergreen.observability import configure_logging
from evergreen.services.follow_champion import FollowChampion
from evergreen.settings import load_settings
from evergreen.workers.lifetime import Lifetime
from evergreen.workers.recommender import SERVICE, Recommender
from tests.support.tiny_ranker import tiny_version


def main() -> int:
    settings = load_settings()
    configure_logging(settings, SERVICE)
    lifetime, parts = Lifetime(), Parts(settings)
    parts.recommender.champion = FollowChampion(parts.store, MODEL, tiny_version)
    return Recommender(parts, lifetime.stop, lifetime.failed).run(lifetime)


if __name__ == "__main__":
    sys.exit(main())
