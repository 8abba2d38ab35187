"""The movie domain's model: one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evergreen.domains.movies.dataset import movie_dataset
from evergreen.domains.movies.spec import movie_spec
from evergreen.ports.domain import Offer

if TYPE_CHECKING:
    from evergreen.settings import Settings


def offers(settings: Settings) -> Sequence[Offer]:
    return (Offer(movie_spec(), (movie_dataset(),)),)
