"""Slack, e-mail and SMS through Apprise: one library that knows their formats. Only services with hosts of their own: its generic
schemes (json, xml, form) would call any host, which `webhook` does under rules. It sends no usage data.

Its log lines may hold addresses and tokens: they are caught, cleaned of every part of the channel's URL, and go nowhere but into the error."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from evergreen.core.errors import UnsafeSettings
from evergreen.core.notices import Language, Notice
from evergreen.ports.notifier import NotDelivered

if TYPE_CHECKING:
    from apprise import NotifyBase

AppriseKind = Literal["slack", "email", "sms"]
SCHEMES: Mapping[AppriseKind, frozenset[str]] = {
    "slack": frozenset({"slack"}),
    "email": frozenset({"mailto", "mailtos", "mailgun", "sendgrid", "ses", "brevo", "postmark", "resend", "sparkpost", "smtp2go"}),
    "sms": frozenset({"twilio", "sns", "vonage", "nexmo", "plivo", "sinch", "msgbird", "clickatell", "clicksend", "telnyx"}),
}
LONGEST = {"slack": 3_000, "email": 20_000, "sms": 300}
_LEVELS = {"low": "info", "medium": "warning", "high": "warning", "critical": "failure"}
_PART = re.compile(r"[/:?&=@#,\s]+")
_HIDDEN_FROM = 4


class AppriseChannel:
    def __init__(self, name: str, kind: AppriseKind, url: str, language: Language) -> None:
        """Raises UnsafeSettings where the URL is not one of the kind's."""
        self._name = name
        self._kind = kind
        self._language = language
        self._secrets = sorted({unquote(part) for part in _PART.split(url)} | set(_PART.split(url)), key=len, reverse=True)
        self._plugin = _plugin(name, kind, url)

    def send(self, notice: Notice) -> None:
        title = notice.title.told(self._language, " / ")
        message = notice.message.told(self._language, "\n")
        body = f"{_cut(message, LONGEST[self._kind])}\n#{str(notice.id)[:8]}"
        level = "success" if notice.kind == "resolved" else _LEVELS.get(notice.severity, "info")
        said, taken = self._notify(_cut(title, 200), body, level)
        if not taken:
            raise NotDelivered(f"{self._kind} did not take it: {self._clean(said) or 'no reason given'}")

    def _notify(self, title: str, body: str, level: str) -> tuple[str, bool]:
        from apprise import NotifyType

        with _caught().here() as said:
            taken = self._plugin.notify(title=title, body=body, notify_type=NotifyType(level))
        return " ".join(said), bool(taken)

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            if len(secret) >= _HIDDEN_FROM:
                text = text.replace(secret, "***")
        return _cut(" ".join(text.split()), 300)


def _plugin(name: str, kind: AppriseKind, url: str) -> NotifyBase:
    from apprise import Apprise, AppriseAsset
    from apprise.common import PersistentStoreMode

    scheme = url.partition("://")[0].lower()
    if scheme not in SCHEMES[kind]:
        raise UnsafeSettings(f"EVERGREEN_NOTIFY__CHANNELS: channel {name!r} of kind {kind} needs a URL of {', '.join(sorted(SCHEMES[kind]))}")
    asset = AppriseAsset(
        app_id="Evergreen",
        app_desc="Evergreen",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        http_redirects=False,
        secure_logging=True,
        storage_mode=PersistentStoreMode.MEMORY,
    )
    with _caught().here():
        plugin = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if plugin is None:
        raise UnsafeSettings(
            f"EVERGREEN_NOTIFY__CHANNELS: the URL of channel {name!r} is not complete; the guide of {scheme} in Apprise's wiki shows its parts"
        )
    return plugin


class _Caught(logging.Handler):
    """What Apprise logs goes to the thread that made it say so, and to no other log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._of_thread = threading.local()
        logger = logging.getLogger("apprise")
        logger.addHandler(self)
        logger.propagate = False
        logger.setLevel(logging.WARNING)  # below, it tells addresses and answers whole

    def emit(self, record: logging.LogRecord) -> None:
        lines: list[str] | None = getattr(self._of_thread, "lines", None)
        if lines is not None:
            lines.append(record.getMessage())

    @contextmanager
    def here(self) -> Iterator[list[str]]:
        lines: list[str] = []
        self._of_thread.lines = lines
        try:
            yield lines
        finally:
            self._of_thread.lines = None


_caught = cache(_Caught)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
