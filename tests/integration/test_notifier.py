"""The notifier on a real Postgres and nothing else: from a recorded alert to the file within two seconds, and over a restart."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evergreen.adapters.postgres.leadership import Leadership
from evergreen.bootstrap import Parts
from evergreen.core.clock import wall_now
from evergreen.ports.alerts import AlertRow
from evergreen.services.deliver import LEASE
from evergreen.services.raise_alert import raise_alerts
from evergreen.settings import Settings
from evergreen.settings_notify import ChannelSettings, NotifySettings, WebhookSettings
from evergreen.workers.intake_leader import LeaderThread
from evergreen.workers.notify_step import NotifyStep
from tests.support.alerts import alert
from tests.support.claims import emptied
from tests.support.receiver import Receiver, receiver

pytestmark = pytest.mark.connected


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as listening:
        yield listening


@pytest.fixture
def settings(postgres_settings: Settings, there: Receiver, tmp_path: Path) -> Settings:
    """A home of its own, a file and a webhook; Kafka is not there."""
    hosts = (there.host,)
    webhook = WebhookSettings(secret="s", allowed_hosts=hosts, plain_hosts=hosts, private_hosts=hosts)
    channels = {"file": ChannelSettings(kind="file"), "hook": ChannelSettings(kind="webhook", url=there.url)}
    return postgres_settings.model_copy(update={"home": tmp_path, "notify": NotifySettings(channels=channels, webhook=webhook)})


@pytest.fixture
def parts(settings: Settings) -> Iterator[Parts]:
    parts = Parts(settings)
    emptied(parts.store)
    yield parts
    parts.store.close()


@contextmanager
def notifier(settings: Settings) -> Iterator[list[BaseException]]:
    """As the worker runs it."""
    stop, failures = threading.Event(), list[BaseException]()
    own, lead = Parts(settings), Leadership(settings.postgres.dsn.get_secret_value(), "notify", listen="alerts")
    thread = LeaderThread(lead, NotifyStep(own, stop, lead), stop, failures.append)
    thread.start()
    try:
        yield failures
    finally:
        stop.set()
        thread.join(5)
        own.store.close()


def record(parts: Parts, *rows: AlertRow) -> None:
    with parts.store.transaction() as tx:
        raise_alerts(tx, rows)


def in_the_file(settings: Settings) -> list[str]:
    file = settings.home / "data" / "notifications.jsonl"
    return [json.loads(line)["id"] for line in file.read_text().splitlines()] if file.exists() else []


def until(met, seconds: float = 5.0) -> float:
    began = time.monotonic()
    while not met():
        assert time.monotonic() - began < seconds, "it did not happen"
        threading.Event().wait(0.01)
    return time.monotonic() - began


def test_alerts_arrive_within_two_seconds_and_a_restart_neither_repeats_nor_loses_one(parts: Parts, settings: Settings, there: Receiver) -> None:
    record(parts, alert(model="before the start"))
    with notifier(settings) as failures:
        until(lambda: len(in_the_file(settings)) == 1)
        took = []
        for number in range(5):
            record(parts, alert(model=f"model {number}"))
            took.append(until(lambda number=number: len(in_the_file(settings)) == number + 2))
        until(lambda: len(there.requests) == 6)
        assert failures == []
    assert max(took) <= 2.0

    there.status = 503  # the webhook is away while the notifier stops
    record(parts, alert(model="during the stop"), alert(model="model 0"))
    with notifier(settings):
        until(lambda: len(in_the_file(settings)) == 7)
        until(lambda: len(there.requests) == 7)
    there.status = 204
    with parts.store.transaction() as tx:
        tx.connection.cursor().execute("UPDATE notices SET retry_at = clock_timestamp() WHERE status = 'pending'")
    with notifier(settings):
        until(lambda: len(there.requests) == 8)
        until(lambda: dict(_counts(parts)) == {"sent": 14})

    assert len(set(in_the_file(settings))) == len(in_the_file(settings)) == 7
    keys = [headers["Idempotency-Key"] for _, headers, _ in there.requests]
    assert keys[-1] == keys[-2]  # the one that failed, again under its id
    assert len(set(keys)) == 7
    with parts.store.transaction() as tx:
        assert {row.model: row.outcome for row in tx.alerts.newest(1)} == {"model 0": "held"}


def test_one_that_died_after_sending_is_repeated_under_its_id_when_its_lease_ends(parts: Parts, settings: Settings) -> None:
    record(parts, alert())
    threading.Event().wait(0.6)  # the group wait
    parts.notifier.notify.run()
    with parts.store.transaction() as tx:
        claimed = tx.notices.claim("file", wall_now(), LEASE)
    assert claimed is not None
    parts.notifier.channels["file"].send(claimed.notice)

    with parts.store.transaction() as tx:
        assert tx.notices.claim("file", wall_now(), LEASE) is None
        tx.connection.cursor().execute("UPDATE notices SET retry_at = clock_timestamp() WHERE channel = 'file'")
    with notifier(settings):
        until(lambda: dict(_counts(parts)) == {"sent": 2})
    assert in_the_file(settings) == [str(claimed.notice.id)] * 2


def test_two_that_lead_for_a_moment_do_not_settle_or_send_the_same(parts: Parts) -> None:
    record(parts, alert(), alert(model="other"))
    parts.notifier.notify.run()
    with parts.store.transaction() as first, parts.store.transaction() as second:
        assert len(first.alerts.unsettled(10)) == 2
        assert second.alerts.unsettled(10) == []
    threading.Event().wait(0.6)  # the group wait
    parts.notifier.notify.run()
    with parts.store.transaction() as first, parts.store.transaction() as second:
        claimed = [one.notices.claim("file", wall_now(), LEASE) for one in (first, second, first)]
    assert len({row.notice.id for row in claimed if row is not None}) == 2
    assert claimed[2] is None


def test_the_commands_say_what_happened(parts: Parts, settings: Settings, monkeypatch: pytest.MonkeyPatch, there: Receiver) -> None:
    from evergreen.cli import context
    from evergreen.cli.alerts import app

    monkeypatch.setattr(context, "parts", lambda: parts)

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    made = json.loads(run("silence", "--model", "quiet", "--for", "2h", "--reason", "moving house", "--json"))
    record(parts, alert(model="loud"), alert(model="quiet"))
    with notifier(settings):
        until(lambda: dict(_counts(parts)) == {"sent": 2})

    assert {row["model"]: row["outcome"] for row in json.loads(run("list", "--json"))} == {"loud": "notified", "quiet": "silenced"}
    assert [row["model"] for row in json.loads(run("list", "--model", "quiet", "--json"))] == ["quiet"]
    assert {(row["channel"], row["status"], row["attempts"]) for row in json.loads(run("log", "--json"))} == {("file", "sent", 1), ("hook", "sent", 1)}
    assert "moving house" in run("silences")
    assert run("unsilence", made["id"][-12:]).startswith("ended: ")
    assert run("silences").strip() == "nothing is silenced"
    assert run("test").splitlines() == ["file: delivered", "hook: delivered"]
    there.status = 500
    done = CliRunner().invoke(app, ["test"])
    assert (done.exit_code, done.output.splitlines()[1]) == (1, "hook: not delivered: the receiver answered HTTP 500")


def _counts(parts: Parts):
    with parts.store.transaction() as tx:
        return tx.notices.counts()
