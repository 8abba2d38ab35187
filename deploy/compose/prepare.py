"""The one-shot services of docker-compose.yml: `prepare.py schema|topics`. The same functions the local stack calls between two parts."""

from __future__ import annotations

import json
import sys

from evergreen.settings import Settings, load_settings


def schema(settings: Settings) -> None:
    from evergreen import migrations

    migrations.upgrade(settings.postgres.admin_dsn.get_secret_value())
    if first := settings.auth.first_accounts.get_secret_value():
        from evergreen.bootstrap import Parts

        Parts(settings).access.manage.ensure(json.loads(first))


def topics(settings: Settings) -> None:
    """Create them, then see one message acknowledged: what depends on this service may publish."""
    from evergreen.adapters.kafka_admin import ensure_topics
    from evergreen.local_stack.readiness import kafka_acknowledges

    ensure_topics(settings.kafka.bootstrap_servers, settings.kafka.replication_factor)
    if not kafka_acknowledges(settings.kafka.bootstrap_servers):
        raise SystemExit(f"Kafka at {settings.kafka.bootstrap_servers} does not acknowledge a message")


if __name__ == "__main__":
    {"schema": schema, "topics": topics}[sys.argv[1]](load_settings())
