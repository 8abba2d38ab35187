"""From settings to channels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import structlog

from evergreen.adapters.apprise_channel import AppriseChannel
from evergreen.adapters.file_sink import FileSink
from evergreen.adapters.safe_http import Hosts, Refused, target_of
from evergreen.adapters.webhook import Webhook
from evergreen.core.errors import UnsafeSettings
from evergreen.core.notices import Notice
from evergreen.ports.notifier import NotDelivered, Notifier
from evergreen.settings_notify import ChannelSettings, NotifySettings

log = structlog.get_logger(__name__)


def channels(notify: NotifySettings, given: Mapping[str, ChannelSettings], home: Path) -> Mapping[str, Notifier]:
    """One whose settings are wrong says so now and at each message; the others work."""
    return {name: _usable(name, channel, notify, home) for name, channel in given.items()}


class Unusable:
    """Its messages wait like those of a channel that is away: settings may be put right before they are given up."""

    def __init__(self, why: str) -> None:
        self._why = why

    def send(self, notice: Notice) -> None:
        raise NotDelivered(self._why)


def _usable(name: str, channel: ChannelSettings, notify: NotifySettings, home: Path) -> Notifier:
    try:
        return channel_of(name, channel, notify, home)
    except UnsafeSettings as error:
        log.error("channel_unusable", channel=name, why=str(error))
        return Unusable(str(error))


def channel_of(name: str, channel: ChannelSettings, notify: NotifySettings, home: Path) -> Notifier:
    """Raises UnsafeSettings where it could never send."""
    if channel.kind == "file":
        return FileSink(home / "data" / "notifications.jsonl", channel.language)
    url = channel.url.get_secret_value()
    if channel.kind != "webhook":
        return AppriseChannel(name, channel.kind, url, channel.language)
    webhook = notify.webhook
    hosts = Hosts(webhook.allowed_hosts, webhook.plain_hosts, webhook.private_hosts)
    secret = webhook.secret.get_secret_value()
    if not secret:
        raise UnsafeSettings(f"channel {name!r}: set EVERGREEN_NOTIFY__WEBHOOK__SECRET, the key its receiver checks signatures with")
    try:
        target_of(url, hosts)
    except Refused as error:
        raise UnsafeSettings(f"channel {name!r}: {error}") from None
    return Webhook(url, secret, channel.language, hosts, timeout=webhook.timeout_seconds)
