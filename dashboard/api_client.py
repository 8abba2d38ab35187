"""Serving's HTTP API, as the pages call it: one connection pool for the process, the token of whoever looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

CONNECT_SECONDS, READ_SECONDS = 2.0, 15.0


class ApiError(Exception):
    """Serving refused, or did not answer."""

    def __init__(self, status: int, title: str, detail: str = "") -> None:
        super().__init__(f"{status} {title}: {detail}" if detail else f"{status} {title}")
        self.status, self.title, self.detail = status, title, detail

    @property
    def away(self) -> bool:
        """It will answer again by itself."""
        return self.status in {0, 502, 503, 504}

    @property
    def signed_out(self) -> bool:
        return self.status == 401

    @property
    def not_found(self) -> bool:
        return self.status == 404


class Api:
    """Calls on behalf of one person. Every method raises ApiError, and nothing else, when there is no good answer."""

    def __init__(self, pool: httpx.Client, token: Callable[[], str], signed_out: Callable[[], bool] = lambda: False) -> None:
        """`token`: as it is now. `signed_out`: whether the person has gone meanwhile; nothing is asked in their name then."""
        self._pool = pool
        self._token = token
        self._signed_out = signed_out

    def get(self, path: str, **asked: Any) -> Any:
        """JSON. What is None is not asked; lists repeat their name."""
        return self._call("GET", path, params={name: value for name, value in asked.items() if value is not None})

    def post(self, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, seconds: float = READ_SECONDS) -> Any:
        """`seconds`: how long the answer may take."""
        return self._call("POST", path, json={} if body is None else body, headers=headers, timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS))

    def page(self, path: str) -> str:
        """A text, such as a report's HTML."""
        return self._answer("GET", path).text

    @contextmanager
    def lines(self, path: str, *, silence_seconds: float, headers: Mapping[str, str]) -> Iterator[Iterator[str]]:
        """Of a stream, as they come; after a silence that is longer it is broken."""
        sent = self._headers(headers)
        patience = httpx.Timeout(silence_seconds, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
        try:
            with self._pool.stream("GET", path, headers=sent, timeout=patience) as answer:
                if answer.is_error:
                    answer.read()
                    raise problem_of(answer)
                yield answer.iter_lines()
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ApiError(0, "no answer", type(error).__name__) from error

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        if self._signed_out():
            raise ApiError(401, "signed out")
        return {**headers, "Authorization": f"Bearer {self._token()}"}

    def _call(self, method: str, path: str, **request: Any) -> Any:
        answer = self._answer(method, path, **request)
        return answer.json() if answer.content else None

    def _answer(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **request: Any) -> httpx.Response:
        sent = self._headers(headers or {})
        try:
            answer = self._pool.request(method, path, headers=sent, **request)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ApiError(0, "no answer", type(error).__name__) from error
        if answer.is_error:
            raise problem_of(answer)
        return answer


def problem_of(answer: httpx.Response) -> ApiError:
    """From its problem document (RFC 9457), where it is one."""
    try:
        told = answer.json()
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    return ApiError(answer.status_code, str(told.get("title", answer.reason_phrase)), str(told.get("detail", "")))


def connection_pool(url: str, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS), transport=transport)
