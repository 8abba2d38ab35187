"""From settings to channels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evergreen.adapters.apprise_channel import AppriseChannel
from evergreen.adapters.file_sink import FileSink
from evergreen.adapters.safe_http import Hosts, Refused, target_of
from evergreen.adapters.webhook import Webhook
from evergreen.core.errors import UnsafeSettings
from evergreen.ports.notifier import Notifier
from evergreen.settings import ChannelSettings, NotifySettings


def channels(notify: NotifySettings, given: Mapping[str, ChannelSettings], home: Path) -> Mapping[str, Notifier]:
    """Raises UnsafeSettings: a channel that could never send is found when the notifier starts, not at the first alert."""
    return {name: _channel(name, channel, notify, home) for name, channel in given.items()}


def _channel(name: str, channel: ChannelSettings, notify: NotifySettings, home: Path) -> Notifier:
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
