"""Argon2id, with the figures OWASP names for a machine that hashes while it serves: 19 MiB and 2 passes, about 30 ms."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pwdlib import PasswordHash

NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$5imnlQ19oMJnKCnPmdZlpA$QongMi5fbG8QTkJBQNu17qw0KNwdHNE8Fk/ATnczjlI"
"""Of random bytes nobody kept. Checked when there is no account of a name, so that it takes as long to be told no."""


class Argon2:
    @cached_property
    def _hasher(self) -> PasswordHash:
        from pwdlib import PasswordHash
        from pwdlib.hashers.argon2 import Argon2Hasher

        return PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19_456, parallelism=1),))

    def hash(self, secret: str) -> str:
        return self._hasher.hash(secret)

    def verify(self, secret: str, secret_hash: str) -> bool:
        from pwdlib.exceptions import PwdlibError

        try:
            return self._hasher.verify(secret, secret_hash)
        except PwdlibError:  # a hash of another kind
            return False
