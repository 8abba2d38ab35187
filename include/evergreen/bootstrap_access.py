"""The parts of who may call serving, for commands and for this home's own processes that call it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from evergreen.adapters.passwords import Argon2
from evergreen.adapters.token_keys import TokenKeys
from evergreen.adapters.token_mint import OwnToken, TokenMint
from evergreen.core.access import Role
from evergreen.services.manage_access import ManageAccess

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts


class AccessParts:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @cached_property
    def mint(self) -> TokenMint:
        """Raises UnsafeSettings where this home has no keys."""
        return TokenMint(self._parts.settings.auth, TokenKeys(self._parts.settings))

    def own_token(self, subject: str) -> OwnToken:
        """Of an application that runs in this home."""
        return OwnToken(self.mint, subject, [Role.SERVICE])

    @cached_property
    def manage(self) -> ManageAccess:
        return ManageAccess(self._parts.store, Argon2())
