"""Every line is JSON, and no secret is in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog

from evergreen.observability import REDACTED, configure_logging
from evergreen.settings import PostgresSettings, Settings

DSN = "postgresql://app_rw:hunter22@127.0.0.1/evergreen"


@pytest.fixture
def written() -> Iterator[StringIO]:
    """What a process that logs as intake writes."""
    stream = StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging(Settings(postgres=PostgresSettings.model_validate({"dsn": DSN})), "intake", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(written: StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_says_when_who_and_what(written: StringIO) -> None:
    structlog.get_logger("a").info("ready", count=3)

    (line,) = lines(written)
    assert {name: line[name] for name in ("service", "event", "level", "count")} == {"service": "intake", "event": "ready", "level": "info", "count": 3}
    assert "at" in line


def test_no_secret_is_written(written: StringIO) -> None:
    log = structlog.get_logger("a")
    try:
        raise ValueError(f"cannot connect to {DSN}")
    except ValueError:
        log.exception("failed", url="redis://:pw9@h:1", password="abc", nested={"api_key": "k", "list": [DSN]}, cause=ValueError(DSN))
    logging.getLogger("library").warning("using %s", DSN)

    text = json.dumps(lines(written))
    assert not any(secret in text for secret in ("hunter22", "pw9", '"abc"', '"k"'))
    assert REDACTED in text


def test_a_librarys_debug_lines_stay_out(written: StringIO) -> None:
    logging.getLogger("library").debug("chatter")
    structlog.get_logger("a").debug("chatter")

    assert lines(written) == []
