"""The recorded rows around one name, for whoever asks why."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from evergreen.core.explanation import Found
from evergreen.ports.storage import Lease


class Explanations(Protocol):
    def find(self, name: str) -> Found:
        """`name`: the id of an action or an event, or `model/seq` of a decision. Empty when nothing goes by it."""


class ExplanationTransaction(Protocol):
    @property
    def explanations(self) -> Explanations: ...


class ExplanationStore(Protocol):
    def transaction(self, lease: Lease | None = None) -> AbstractContextManager[ExplanationTransaction]: ...
