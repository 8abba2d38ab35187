"""Which list is the one to show, how it differs from the one before, and why an item is there in the viewer's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.escaped import plain
from dashboard.formats import parsed
from dashboard.list_reader import Arrived
from dashboard.words import Words

NEW, UP, DOWN = "new", "up", "down"
_REASONS = {"because you watched ": "watched", "because you like ": "genre", "because people with your taste chose it": "users", "popular now": "popular"}
"""As serving begins them, and what the texts call them."""


def shown_now(first: Arrived, arrived: Sequence[Arrived]) -> tuple[Arrived, Arrived | None]:
    """Of the list that was asked for and those that were pushed (newest first) the newest, and the one it took the place of."""
    in_order = sorted([first, *arrived], key=lambda one: (parsed(one.said["made_at"]), one.at))
    return in_order[-1], in_order[-2] if len(in_order) > 1 else None


def changes(items: Sequence[Mapping[str, Any]], before: Arrived | None) -> dict[str, str]:
    """By item: NEW, UP, DOWN; nothing where it stayed, or nothing was before."""
    if before is None:
        return {}
    was = {item["item_id"]: item["position"] for item in before.said["items"]}
    found = {}
    for item in items:
        place = was.get(item["item_id"])
        if place != item["position"]:
            found[item["item_id"]] = NEW if place is None else UP if item["position"] < place else DOWN
    return found


def reason_in(t: Words, reason: str) -> str:
    """As Markdown. A new kind of reason stands as serving said it."""
    for begins, name in _REASONS.items():
        if reason.startswith(begins):
            return t(f"recommendations.reason.{name}", what=plain(reason.removeprefix(begins)))
    return plain(reason)
