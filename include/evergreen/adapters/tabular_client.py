"""Serving as the application of a declared model calls it: many rows in one question of MLflow's scoring protocol, each row with its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
import structlog

from evergreen.adapters.serving_client import ServingClient
from evergreen.ports.app import Asked

_ROWS = 200
"""Of one question."""
log = structlog.get_logger(__name__)


class TabularClient(ServingClient):
    """Guarantee and remedy as of `ServingClient`; of a question serving finds unfit (400) every row counts as not asked."""

    def __init__(self, url: str, token: Callable[[], str], model: str, entity: str, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__(url, token, transport)
        self._path = f"/models/{model}/invocations"
        self._entity = entity

    def ask(self, requests: Sequence[Mapping[str, Any]]) -> list[Asked | None]:
        return [asked for at in range(0, len(requests), _ROWS) for asked in self._ask_rows(requests[at : at + _ROWS])]

    def _ask_rows(self, rows: Sequence[Mapping[str, Any]]) -> list[Asked | None]:
        answer = self.post(self._path, {"dataframe_records": [dict(row) for row in rows]}, {}, expected={200, 400, 503})
        if answer.status_code != httpx.codes.OK:
            if answer.status_code == httpx.codes.BAD_REQUEST:
                log.warning("requests_refused", path=self._path, refused=len(rows), reason=answer.text[:300])
            return [None] * len(rows)
        version = answer.headers["x-model-version"]
        return [Asked(entity=str(row[self._entity]), model_version=version) for row in rows]
