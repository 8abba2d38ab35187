"""Serving as an application tells it what users do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from evergreen.adapters.serving_client import PARALLEL, UNFIT, ServingClient
from evergreen.ports.app import Asked

_PATH = "/interactions"
log = structlog.get_logger(__name__)


class InteractionsClient(ServingClient):
    """Guarantee and remedy as of `ServingClient`; one user's interactions are told one after the other, in their order."""

    def ask(self, requests: Sequence[Mapping[str, Any]]) -> list[Asked | None]:
        """Tells each `body` under its `key`. No prediction comes of it."""
        by_user: dict[str, list[Mapping[str, Any]]] = {}
        for request in requests:
            by_user.setdefault(request["body"]["user_id"], []).append(request)
        with ThreadPoolExecutor(PARALLEL) as pool:
            refused = [reason for reasons in pool.map(self._tell_user, by_user.values()) for reason in reasons]
        if refused:
            log.warning("requests_refused", path=_PATH, refused=len(refused), of=len(requests), reason=refused[0])
        return [None] * len(requests)

    def _tell_user(self, requests: Sequence[Mapping[str, Any]]) -> list[str]:
        """Why serving found some unfit."""
        answers = [self.post(_PATH, request["body"], {"Idempotency-Key": request["key"]}, expected={202, UNFIT}) for request in requests]
        return [answer.text[:300] for answer in answers if answer.status_code == UNFIT]
