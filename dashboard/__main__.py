"""`python -m dashboard`: one process, one port, loopback unless told otherwise."""

from __future__ import annotations

import uvicorn

from dashboard.server import create_app
from evergreen.observability import configure_logging
from evergreen.settings import load_settings


def main() -> None:
    settings = load_settings()
    configure_logging(settings, "dashboard")
    uvicorn.run(create_app(), host=settings.dashboard.host, port=settings.dashboard.port, log_config=None, server_header=False)


if __name__ == "__main__":
    main()
