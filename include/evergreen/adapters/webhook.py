"""A webhook of the operator's own: JSON, signed, to a listed host.

The signature is HMAC-SHA256 over timestamp, a dot and the body, so a receiver can refuse what is forged and what is replayed.
`Idempotency-Key` is the notice's id: the same notice may come twice."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime

from evergreen.adapters.safe_http import Hosts, NoAnswer, Refused, Resolve, post, resolve, target_of
from evergreen.core.clock import wall_now
from evergreen.core.notices import Language, Notice
from evergreen.ports.notifier import NotDelivered

LONGEST_BODY = 64 * 1024
_WORTH_ANOTHER_TRY = {408, 425, 429}


class Webhook:
    def __init__(
        self,
        url: str,
        secret: str,
        language: Language,
        hosts: Hosts,
        *,
        timeout: float = 3.0,
        find: Resolve = resolve,
        wall: Callable[[], datetime] = wall_now,
    ) -> None:
        self._url = url
        self._secret = secret
        self._language = language
        self._hosts = hosts
        self._timeout = timeout
        self._find = find
        self._wall = wall

    def send(self, notice: Notice) -> None:
        body = json.dumps(notice.facts(self._language), ensure_ascii=False, separators=(",", ":")).encode()
        if len(body) > LONGEST_BODY:
            raise NotDelivered(f"the message has {len(body)} bytes, a webhook takes {LONGEST_BODY}", permanent=True)
        try:
            status = post(target_of(self._url, self._hosts), body, self._headers(notice, body), self._timeout, self._find)
        except Refused as error:
            raise NotDelivered(str(error), permanent=True) from None
        except NoAnswer as error:
            raise NotDelivered(str(error)) from None
        if 300 <= status < 400:
            raise NotDelivered(f"the receiver redirects (HTTP {status}); redirects are not followed: set the final URL", permanent=True)
        if status >= 400:
            raise NotDelivered(f"the receiver answered HTTP {status}", permanent=status < 500 and status not in _WORTH_ANOTHER_TRY)

    def _headers(self, notice: Notice, body: bytes) -> dict[str, str]:
        timestamp = str(int(self._wall().timestamp()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "evergreen",
            "Idempotency-Key": str(notice.id),
            "Evergreen-Timestamp": timestamp,
        }
        return headers | {"Evergreen-Signature": f"v1={signature(self._secret, timestamp, body)}"}


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Hex. What a receiver computes too."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
