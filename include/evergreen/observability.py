"""Logs: one JSON line per event on standard output (the supervisor keeps the files), with every secret redacted."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from evergreen.core.clock import wall_now
from evergreen.settings_copy import secrets_in

if TYPE_CHECKING:
    from evergreen.settings import Settings

REDACTED = "***"
_SECRET_NAME = re.compile(r"(password|passwd|secret|token|authorization|api_?key|signing_?key|dsn)$", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?P<head>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+(?=@)")
_QUIET = ("alembic", "botocore", "kafka", "urllib3", "werkzeug")


def configure_logging(settings: Settings, service: str, stream: TextIO | None = None) -> None:
    """Structured and library logs go the same way (`stream`, else standard output), as one JSON line each, named by `service`.
    Called once at the start of a process."""
    stream = stream or sys.stdout
    hide = _Redact(secrets_in(settings))
    shared: list[Any] = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, _stamp(service), structlog.processors.format_exc_info, hide]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(default=str, ensure_ascii=False)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer(default=str, ensure_ascii=False)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _stamp(service: str) -> Any:
    def stamp(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {"at": wall_now().isoformat(timespec="milliseconds"), "service": service, **line}

    return stamp


class _Redact:
    """Guarantee: no configured secret, no URL password and no field named like a secret is written. It runs last, so it sees
    rendered exceptions too."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)
        self._known = re.compile("|".join(re.escape(secret) for secret in known)) if known else None

    def __call__(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {name: REDACTED if _SECRET_NAME.search(name) and value else self._clean(value) for name, value in line.items()}

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            hidden = self._known.sub(REDACTED, value) if self._known else value
            return _URL_PASSWORD.sub(rf"\g<head>{REDACTED}", hidden)
        if isinstance(value, dict):
            return {name: REDACTED if isinstance(name, str) and _SECRET_NAME.search(name) and inner else self._clean(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(inner) for inner in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self._clean(str(value))
