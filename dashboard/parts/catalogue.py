"""What the catalogue holds, in the language of whoever looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.view import View


def category_names(view: View, shares: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """By id, in the order given."""
    return {int(one["category_id"]): category_name(view, one) for one in shares}


def category_name(view: View, share: Mapping[str, Any]) -> str:
    return str(share[f"name_{view.language}"] or view.t("performance.unnamed", id=share["category_id"]))
