"""Whom alerts are told, and how often (docs/guides/alerts.md). Part of `evergreen.settings`."""

from __future__ import annotations

from datetime import time
from typing import Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, Field, SecretStr, field_validator


class ChannelSettings(BaseModel):
    kind: Literal["file", "webhook", "slack", "email", "sms"]
    url: SecretStr = SecretStr("")
    """The webhook's address, or Apprise's URL of the service. It holds tokens: it is in no log."""
    language: Literal["ko", "en", "both"] = "both"
    min_severity: Literal["low", "medium", "high", "critical"] = "low"
    """Low alerts come as a digest."""


class WebhookSettings(BaseModel):
    secret: SecretStr = SecretStr("")
    """Receivers check signatures with it."""
    allowed_hosts: tuple[str, ...] = ()
    """`host` or `host:port`; nothing else is spoken to."""
    plain_hosts: tuple[str, ...] = ()
    """Of these, without TLS."""
    private_hosts: tuple[str, ...] = ()
    """Of these, at private addresses."""
    timeout_seconds: float = Field(default=3.0, gt=0, le=30)


class NotifySettings(BaseModel):
    channels: dict[str, ChannelSettings] = {}
    """JSON, name -> channel. Empty in development: `<home>/data/notifications.jsonl`."""
    webhook: WebhookSettings = WebhookSettings()
    group_wait_seconds: float = Field(default=0.5, ge=0, le=600)
    """Alerts of a group that come within it are one message (wall time)."""
    repeat_hours: float = Field(default=4.0, ge=0)
    """A group that goes on is told of again after it (platform time)."""
    digest_at: time = time(9)
    """When low alerts are sent together (platform time, in `timezone`)."""
    timezone: str = "Asia/Seoul"
    max_attempts: int = Field(default=10, ge=1, le=50)
    """Waits double from 5 s to 10 min: 10 attempts are about half an hour."""

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"{name!r} is no time zone; write one like Asia/Seoul")
        return name
