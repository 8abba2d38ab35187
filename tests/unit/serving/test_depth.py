"""The depth told from bytes is the depth the parser finds."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serving.auth.depth import DEEPEST, is_json, too_deep

TEXT = st.text(alphabet='[]{}"\\a한', max_size=6)
JSON = st.recursive(TEXT | st.none() | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=20)


def depth(found: Any) -> int:
    if isinstance(found, dict | list):
        return 1 + max((depth(one) for one in (found.values() if isinstance(found, dict) else found)), default=0)
    return 0


@given(JSON, st.integers(1, 6), st.booleans())
def test_it_is_the_depth_of_what_is_parsed(found: Any, deepest: int, ascii_only: bool) -> None:
    assert too_deep(json.dumps(found, ensure_ascii=ascii_only).encode(), deepest) == (depth(found) > deepest)


@given(st.integers(1, 40), JSON)
def test_wrapped_often_enough_it_is_too_deep(times: int, found: Any) -> None:
    for _ in range(times):
        found = [found]
    assert too_deep(json.dumps(found).encode()) == (depth(found) > DEEPEST)


@given(st.binary(max_size=200))
def test_no_bytes_break_it(body: bytes) -> None:
    too_deep(body, 2)


def test_what_is_said_to_be_something_else_is_not_looked_through() -> None:
    assert [is_json(name) for name in ("", "application/json; charset=utf-8", "application/vnd.x+json", "text/csv", "application/octet-stream")] == [
        *[True] * 3,
        *[False] * 2,
    ]
