"""`python -m dashboard`: one process, one port, loopback unless told otherwise."""

from __future__ import annotations

from typing import Any

import uvicorn

from dashboard.server import create_app
from evergreen.observability import configure_logging
from evergreen.settings import load_settings

OPTIONS: dict[str, Any] = {"log_config": None, "server_header": False, "proxy_headers": False}
"""Who a visitor is a proxy for decides serving (`sign_in.forwarded`), not a header from loopback."""


def main() -> None:
    settings = load_settings()
    configure_logging(settings, "dashboard")
    uvicorn.run(create_app(), host=settings.dashboard.host, port=settings.dashboard.port, **OPTIONS)


if __name__ == "__main__":
    main()
