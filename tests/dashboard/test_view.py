"""What every page does when serving is away."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import streamlit as st

from dashboard.view import AGAIN_SECONDS, View, live
from tests.support.dashboard_stub import Stub, shown


def page(seen: View) -> None:
    seen.api.get("/models")


@pytest.mark.parametrize(
    ("asks", "answer", "again"),
    [
        pytest.param(page, 503, [AGAIN_SECONDS], id="away"),
        pytest.param(page, 403, [], id="refused"),
        pytest.param(page, {}, [], id="there"),
        pytest.param(partial(live, part=page, seconds=2.0), 503, [2.0], id="a-live-part-does-so-anyway"),
    ],
)
def test_a_page_looks_again_by_itself_while_serving_is_away(monkeypatch: pytest.MonkeyPatch, asks: Any, answer: Any, again: list[float]) -> None:
    looks: list[float | None] = []
    real = st.fragment

    def fragment(part: Callable[[], None], *, run_every: float | None = None) -> Any:
        looks.append(run_every)
        return real(part, run_every=run_every)

    monkeypatch.setattr(st, "fragment", fragment)
    shown(asks, Stub({"GET /models": answer}))
    assert looks == again
