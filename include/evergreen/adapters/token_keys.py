"""The keys tokens are signed with: Ed25519, one that signs and at most one more that is still accepted.

Guarantee: a token's `kid` is looked up among the keys that are there, and is never a path, a URL or a query. Failure: a key leaks. Remedy:
`evergreen token rotate-keys` twice, or once with `--drop-old`: workers take the new ring within a second and forget what the old one signed."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from evergreen.core.errors import UnsafeSettings

if TYPE_CHECKING:
    from evergreen.settings import Settings

KEPT = 2
_SEED = re.compile(r"[0-9a-f]{64}")
_FEWEST_DIFFERENT_BYTES = 12
"""32 random bytes have fewer than once in 10^20 times; typed ones usually do."""


@dataclass(frozen=True)
class KeyRing:
    signing: Ed25519PrivateKey
    kid: str
    accepted: Mapping[str, Ed25519PublicKey]
    """By kid; the signing key's too."""


def key_file(settings: Settings) -> Path:
    return settings.auth.key_file or settings.home / "token_keys"


def new_seed() -> str:
    return secrets.token_hex(32)


def kid_of(public: Ed25519PublicKey) -> str:
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]


def ring_of(text: str, *, weak_too: bool = False) -> KeyRing:
    """From hex seeds with commas or white space between them. Raises UnsafeSettings; says nothing of a seed but its place."""
    seeds = [word for word in re.split(r"[\s,]+", text.strip()) if word]
    if not seeds:
        raise UnsafeSettings("no key for tokens: set EVERGREEN_AUTH__KEYS, or start the stack once, which makes one")
    if len(seeds) > KEPT:
        raise UnsafeSettings(f"{len(seeds)} keys for tokens, at most {KEPT}: the one that signs and the one before it")
    for place, seed in enumerate(seeds, 1):
        if not _SEED.fullmatch(seed):
            raise UnsafeSettings(f"key {place} for tokens is not 32 bytes in lower-case hex; make one with `openssl rand -hex 32`")
        if not weak_too and len(set(bytes.fromhex(seed))) < _FEWEST_DIFFERENT_BYTES:
            raise UnsafeSettings(f"key {place} for tokens is not random; make one with `openssl rand -hex 32`")
    private = [Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)) for seed in seeds]
    accepted = {kid_of(key.public_key()): key.public_key() for key in private}
    return KeyRing(private[0], kid_of(private[0].public_key()), accepted)


def ensure_key_file(path: Path) -> None:
    """Make the first key where there is none. Two processes at once: the first one's stays."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _written(path, new_seed() + "\n")
    try:
        os.link(partial, path)
    except FileExistsError:
        return
    finally:
        partial.unlink()


def rotate(path: Path, *, drop_old: bool = False) -> str:
    """A new key signs from now on; the one before is still accepted, unless dropped. Returns the new key's kid."""
    old = path.read_text().split() if path.exists() else []
    seeds = [new_seed(), *([] if drop_old else old[: KEPT - 1])]
    _written(path, "\n".join(seeds) + "\n").replace(path)
    return ring_of(seeds[0]).kid


def _written(path: Path, text: str) -> Path:
    """Beside it, readable by this user only."""
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return partial


class TokenKeys:
    """The ring of one process: from the settings, or from the file, which is read again when it has changed."""

    def __init__(self, settings: Settings) -> None:
        self._given = settings.auth.keys.get_secret_value()
        self._file = key_file(settings)
        self._development = settings.environment == "development"
        self._stamp: tuple[int, int] | None = None
        if not self._given and self._development:
            ensure_key_file(self._file)
        self.ring = self._read()

    def reload(self) -> bool:
        """True when the ring is another one. A file that cannot be used just now leaves the old ring. Reads a file: not for the event loop."""
        if self._given or (stamp := self._stamp_now()) is None or stamp == self._stamp:
            return False
        try:
            self.ring = self._read()
        except (UnsafeSettings, OSError):
            return False
        return True

    def _read(self) -> KeyRing:
        if self._given:
            return ring_of(self._given, weak_too=self._development)
        stamp = self._stamp_now()
        if stamp is None:
            raise UnsafeSettings(f"no key for tokens: {self._file} is not there and EVERGREEN_AUTH__KEYS is not set")
        if not self._development and self._file.stat().st_mode & 0o077:
            raise UnsafeSettings(f"{self._file} holds keys and others may read it: chmod 600")
        ring = ring_of(self._file.read_text(), weak_too=self._development)
        self._stamp = stamp
        return ring

    def _stamp_now(self) -> tuple[int, int] | None:
        try:
            about = self._file.stat()
        except OSError:
            return None
        return about.st_mtime_ns, about.st_ino
