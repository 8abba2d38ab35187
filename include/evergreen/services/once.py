"""One effect and one answer for one idempotency key, of what has no natural identity of its own.

Guarantee: who repeats a request with its key gets the answer of the first time, and nothing is done again; with the key and another request,
KeyReused. What was refused leaves nothing: it may be sent again. Failure: a worker dies, or Postgres goes away, between the effect and its
answer's being kept. Remedy: a repeat waits PATIENCE and is carried out then, so what is done here is safe to do twice: a letter sent back again is
the same message, an account or an experiment of a name that is taken is refused, a second silence or secret stands beside or after the first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from evergreen.contracts.envelope import canonical_json, derived_id
from evergreen.core.errors import KeyReused, SecretGivenOut, Unavailable
from evergreen.ports.keyed_requests import KeyedStore

PATIENCE = timedelta(minutes=2)
"""Longer than anything here takes."""


@dataclass(frozen=True)
class Keyed:
    """A request that carries a key. The key is its sender's own, for this operation."""

    operation: str
    who: str
    key: str
    content: Any
    """JSON: what a repeat must ask again."""
    secret: bool = False
    """Its answer holds one: it is not kept, and a repeat is told so."""

    @property
    def id(self) -> UUID:
        return UUID(derived_id("keyed_request", self.operation, self.who, self.key))


def once(store: KeyedStore, asked: Keyed, work: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """`work` answers JSON. Raises what it raises, KeyReused, SecretGivenOut, Unavailable."""
    content = content_of(asked)
    with store.transaction() as tx:
        earlier = tx.keyed_requests.take(asked.id, content, PATIENCE)
    if earlier is not None:
        if earlier.content != content:
            raise KeyReused("this Idempotency-Key was used for another request: use a new key for a new one")
        if earlier.answer is None:
            raise Unavailable("the first request of this Idempotency-Key is still at work, or broke off: send it again in a moment")
        if asked.secret:
            raise SecretGivenOut("this was done under this Idempotency-Key, and the secret was given out then: it is kept nowhere; ask for a new one")
        return earlier.answer
    try:
        answer = work()
    except BaseException:
        with store.transaction() as tx:
            tx.keyed_requests.drop(asked.id)
        raise
    with store.transaction() as tx:
        tx.keyed_requests.answer(asked.id, {} if asked.secret else answer)
    return answer


def content_of(asked: Keyed) -> str:
    return hashlib.sha256(canonical_json(asked.content)).hexdigest()
