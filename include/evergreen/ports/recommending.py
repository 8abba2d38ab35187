"""A version of a recommender, ready to rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Ranker(Protocol):
    """Pure, thread-safe, no I/O. A history is (item id, weight), newest first; an item the version does not know counts for nothing."""

    @property
    def version(self) -> str:
        """`name@N`."""

    @property
    def items(self) -> Sequence[str]:
        """Item ids by position."""

    @property
    def popular(self) -> Sequence[str]:
        """Newest popularity, best first."""

    def scores(self, history: Sequence[tuple[str, float]]) -> NDArray[np.float64]:
        """(n_items,), higher is better; of an empty history: popular now."""

    def similar(self, item: str, *, at_least: float, most: int) -> Sequence[tuple[str, float]]:
        """(item, cosine of the factors), nearest first. Of an item without factors: neighbours by content (genres, year)."""

    def user_vector(self, history: Sequence[tuple[str, float]]) -> NDArray[np.float64]:
        """Unit length, for cosines between users; zeros when nothing of the history is known."""

    def genres(self, item: str) -> Sequence[str]:
        """() of an unknown item."""

    def title(self, item: str) -> str:
        """The id of an unknown item."""
