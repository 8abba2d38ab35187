"""The video domain's models: one, of the home's region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evergreen.domains.videos.dataset import video_dataset
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.domain import Offer

if TYPE_CHECKING:
    from evergreen.settings import Settings


def offers(settings: Settings) -> Sequence[Offer]:
    region = settings.videos.region
    return (Offer(video_spec(region), (video_dataset(region),)),)
