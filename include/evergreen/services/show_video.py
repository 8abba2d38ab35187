"""One video of the catalogue, with what a prediction of it would rest on."""

from __future__ import annotations

from typing import Any

from evergreen.core.errors import NotFound
from evergreen.ports.catalogue import VideoCatalogue
from evergreen.ports.serving import FeatureStore
from evergreen.services.search import engagement


class ShowVideo:
    def __init__(self, catalogue: VideoCatalogue, features: FeatureStore, model: str) -> None:
        self._catalogue = catalogue
        self._features = features
        self._model = model

    async def run(self, video_id: str) -> dict[str, Any]:
        """Raises NotFound, Unavailable."""
        row = await self._catalogue.video(video_id)
        if row is None:
            raise NotFound(f"the catalogue has no video {video_id}")
        stored = await self._features.get(self._model, video_id)
        return {
            **row,
            "engagement_rate": engagement(row),
            "features": None if stored is None else dict(stored.features),
            "features_as_of": None if stored is None else stored.as_of,
        }
