"""What an operator asks with an idempotency key, from a body to a body."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from evergreen.contracts.api import Body
from evergreen.ports.keyed_requests import KeyedStore
from evergreen.services.once import Keyed, once

B = TypeVar("B", bound=Body)


def answered_once(store: KeyedStore, keyed: Keyed | None, kind: type[B], work: Callable[[], B]) -> B:
    """Without a key each request is one of its own. Raises as `once`."""
    if keyed is None:
        return work()
    return kind.model_validate_json(json.dumps(once(store, keyed, lambda: work().model_dump(mode="json"))))
