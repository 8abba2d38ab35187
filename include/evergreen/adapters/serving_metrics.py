"""Serving's `/metrics`, read as Prometheus would."""

from __future__ import annotations

from collections.abc import Callable
from urllib.error import URLError
from urllib.request import Request, urlopen

from prometheus_client.parser import text_string_to_metric_families

from evergreen.core.errors import Unavailable
from evergreen.core.traffic import READ, Samples

_SECONDS = 3.0
_BYTES = 8 * 1024 * 1024


class ServingMetrics:
    """One port of one home: whichever worker answers adds up all of them. Behind a balancer over several hosts the counters would jump
    between hosts: let Prometheus scrape those (`EVERGREEN_MONITOR__PROMETHEUS_URL`)."""

    def __init__(self, url: str, token: Callable[[], str] | None = None) -> None:
        """`token`: not needed on serving's own machine."""
        self._url = f"{url}/metrics"
        self._token = token

    def read(self) -> Samples:
        try:
            asked = Request(self._url, headers={} if self._token is None else {"Authorization": f"Bearer {self._token()}"})  # noqa: S310 - http, from the settings
            with urlopen(asked, timeout=_SECONDS) as answer:  # noqa: S310 - http, from the settings
                text = answer.read(_BYTES).decode()
            return {
                (sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
                if sample.name in READ
            }
        except (URLError, OSError, ValueError) as error:
            raise Unavailable(f"serving's metrics cannot be read at {self._url}: {error}") from error
