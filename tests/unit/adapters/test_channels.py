"""Slack, e-mail and SMS as the services receive them; the file sink; what settings are refused."""

from __future__ import annotations

import json
import logging
import smtplib
import stat
from email import message_from_string
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests

from evergreen.adapters.apprise_channel import AppriseChannel
from evergreen.adapters.channels import channel_of, channels
from evergreen.adapters.file_sink import FileSink
from evergreen.core.errors import UnsafeSettings
from evergreen.core.notices import Text
from evergreen.ports.notifier import NotDelivered
from evergreen.settings import Settings, load_settings
from evergreen.settings_notify import ChannelSettings, NotifySettings, WebhookSettings
from tests.support.alerts import notice

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alerts"
EMAIL = "mailtos://sender:passw0rd@mail.example.com?to=ops@example.com"
TWILIO = f"twilio://AC{'a' * 32}:{'b' * 32}@15551234567/15557654321"
SNS = "sns://AKIAIOSFODNN7EXAMPLE/wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY/us-east-1/+12223334444"
TOLD = notice(id=UUID("0198-7d4c-5f8e-7a6e-9f0e-3c1d2b7a4e10".replace("-", "")))


class Web:
    """Instead of the network: what would have been sent, and an answer."""

    def __init__(self, status: int = 200, text: str = "ok") -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.answer = requests.Response()
        self.answer.status_code = status
        self.answer._content = text.encode()

    def request(self, _session: requests.Session, method: str, url: str, **given: Any) -> requests.Response:
        self.calls.append((method.upper(), url, given))
        return self.answer


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    web = Web()
    monkeypatch.setattr(requests.Session, "request", lambda session, method, url, **given: web.request(session, method, url, **given))
    return web


def test_slack_receives_a_message_in_its_format(web: Web) -> None:
    AppriseChannel("ops", "slack", SLACK, "both").send(TOLD)

    ((method, url, given),) = web.calls
    assert (method, url) == ("POST", "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ")
    payload = json.loads(given["data"])
    (attachment,) = payload["attachments"]
    assert (payload["channel"], attachment["footer"]) == ("#alerts", "Evergreen")
    assert attachment["title"] == "[높음] 데이터 드리프트 / [high] Data drift"
    assert attachment["text"] == "드리프트 점수 0.700.\nDrift score 0.700.\n#01987d4c"
    assert given["allow_redirects"] is False
    assert "github" not in given["data"].lower()  # no picture from somebody else's server


class Smtp:
    """Stands for the connection and for whoever opens it."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[str], str]] = []
        self.logins: list[str] = []
        self.host = ""

    def __call__(self, host: str, *_given: object, **_more: object) -> Smtp:
        self.host = host
        return self

    def starttls(self, **_given: object) -> None: ...

    def login(self, user: str, _password: str) -> None:
        self.logins.append(user)

    def sendmail(self, sender: str, to: list[str], message: str) -> None:
        self.sent.append((sender, to, message))

    def quit(self) -> None: ...


def test_e_mail_is_sent_by_smtp_with_subject_and_text(monkeypatch: pytest.MonkeyPatch) -> None:
    smtp = Smtp()
    monkeypatch.setattr(smtplib, "SMTP", smtp)
    monkeypatch.setattr(smtplib, "SMTP_SSL", smtp)
    AppriseChannel("post", "email", EMAIL, "ko").send(TOLD)

    ((_, to, raw),) = smtp.sent
    message = message_from_string(raw)
    assert to == ["ops@example.com"]
    assert str(make_header(decode_header(message["Subject"]))) == "[높음] 데이터 드리프트"
    texts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    assert any("드리프트 점수 0.700." in (text.decode() if isinstance(text, bytes) else "") for text in texts)
    assert (smtp.host, smtp.logins) == ("mail.example.com", ["sender"])


@pytest.mark.parametrize(("url", "host"), [(TWILIO, "api.twilio.com"), (SNS, "sns.us-east-1.amazonaws.com")], ids=["twilio", "sns"])
def test_a_text_message_is_short(web: Web, url: str, host: str) -> None:
    AppriseChannel("phone", "sms", url, "en").send(notice(message=Text("x" * 2_000, "x")))

    ((_, called, given),) = web.calls
    assert called.split("/")[2] == host
    text = given["data"]["Body"] if url is TWILIO else given["data"]
    assert "Data" in text
    assert len(text) < 700


def test_a_service_that_refuses_is_an_error_without_a_secret_in_it_or_in_a_log(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    web.answer.status_code = 404
    web.answer._content = b"no team T1JJ3T3L2 with TIiajkdnlazkcOXrIdevi7FQ"
    with caplog.at_level(logging.DEBUG), pytest.raises(NotDelivered, match="slack did not take it") as failed:
        AppriseChannel("ops", "slack", SLACK, "en").send(TOLD)

    said = str(failed.value) + caplog.text
    assert not [part for part in ("T1JJ3T3L2", "A1BRTD4JD", "TIiajkdnlazkcOXrIdevi7FQ") if part in said]
    assert "404" in str(failed.value)


@pytest.mark.parametrize(
    "url", ["json://127.0.0.1/", "jsons://inside.example/", "xml://h/", "form://h/", "apprise://h/t", "syslog://", "windows://", "file:///x"]
)
@pytest.mark.parametrize("kind", ["slack", "email", "sms"])
def test_a_generic_scheme_is_refused(kind: Any, url: str) -> None:
    with pytest.raises(UnsafeSettings, match="needs a URL of"):
        AppriseChannel("ops", kind, url, "en")


def test_an_incomplete_url_is_refused_without_being_shown() -> None:
    with pytest.raises(UnsafeSettings, match="channel 'ops' is not complete") as refused:
        AppriseChannel("ops", "slack", "slack://half-a-token", "en")
    assert "half-a-token" not in str(refused.value)


# The file


def test_the_file_has_a_line_for_each_notice_and_is_this_users_only(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "data" / "notifications.jsonl", "both")
    sink.send(TOLD)
    sink.send(TOLD)

    file = tmp_path / "data" / "notifications.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["id"] for line in lines] == [str(TOLD.id)] * 2
    assert lines[0]["title"] == "[높음] 데이터 드리프트 / [high] Data drift"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_file_is_bounded(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "n.jsonl", "en", most_bytes=2_000)
    for _ in range(50):
        sink.send(TOLD)

    assert sorted(file.name for file in tmp_path.iterdir()) == ["n.jsonl", "n.jsonl.1"]
    assert all(file.stat().st_size <= 2_000 for file in tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "n.jsonl").mkdir()
    with pytest.raises(NotDelivered, match="cannot be written") as failed:
        FileSink(tmp_path / "n.jsonl", "en").send(TOLD)
    assert not failed.value.permanent


# Settings


def test_channels_are_read_from_the_environment_and_from_the_stacks_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = json.dumps({"ops": {"kind": "slack", "url": SLACK, "language": "ko", "min_severity": "high"}, "here": {"kind": "file"}})
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "stack.env").write_text(f"EVERGREEN_NOTIFY__CHANNELS={given}\n")
    from_file = load_settings(tmp_path)
    monkeypatch.setenv("EVERGREEN_NOTIFY__CHANNELS", given)

    for settings in (from_file, load_settings(tmp_path, with_stack=False)):
        assert settings.channels["ops"].url.get_secret_value() == SLACK
        assert (settings.channels["ops"].language, settings.channels["here"].min_severity) == ("ko", "low")
        assert "TIiajkdnlazkcOXrIdevi7FQ" not in repr(settings)


def test_development_has_the_file_and_production_nothing_that_was_not_named() -> None:
    assert {name: one.kind for name, one in Settings(environment="development").channels.items()} == {"file": "file"}
    assert Settings(environment="production", signing_key="00").channels == {}


@pytest.mark.parametrize(
    ("url", "webhook", "why"),
    [
        pytest.param("https://hooks.example/x", WebhookSettings(secret="s"), "ALLOWED_HOSTS", id="not-listed"),
        pytest.param("https://hooks.example/x", WebhookSettings(allowed_hosts=("hooks.example",)), "WEBHOOK__SECRET", id="no-secret"),
    ],
)
def test_a_webhook_that_could_never_send_is_found_at_the_start(url: str, webhook: WebhookSettings, why: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeSettings, match=why):
        channel_of("ops", ChannelSettings(kind="webhook", url=url), NotifySettings(webhook=webhook), tmp_path)


def test_a_channel_with_wrong_settings_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    found = channels(NotifySettings(), {"ops": ChannelSettings(kind="slack", url="json://h/"), "here": ChannelSettings(kind="file")}, tmp_path)
    found["here"].send(TOLD)

    with pytest.raises(NotDelivered, match="needs a URL of slack") as failed:
        found["ops"].send(TOLD)
    assert not failed.value.permanent


def test_each_kind_is_built(tmp_path: Path) -> None:
    webhook = WebhookSettings(secret="s", allowed_hosts=("hooks.example",))
    given = {
        "file": ChannelSettings(kind="file"),
        "hook": ChannelSettings(kind="webhook", url="https://hooks.example/x"),
        "slack": ChannelSettings(kind="slack", url=SLACK),
    }
    assert [type(one).__name__ for one in channels(NotifySettings(webhook=webhook), given, tmp_path).values()] == ["FileSink", "Webhook", "AppriseChannel"]
