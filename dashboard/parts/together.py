"""Questions to the API that do not wait for each other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_POOL = ThreadPoolExecutor(8, thread_name_prefix="asking")


def begin(ask: Callable[..., Any], *where: Any, **asked: Any) -> Future[Any]:
    """`.result()` is the answer, or raises what the call raised."""
    return _POOL.submit(ask, *where, **asked)
