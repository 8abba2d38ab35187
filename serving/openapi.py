"""The OpenAPI document of the routes as they are, for people and generated clients; compared with the committed one by a test.

python -m serving.openapi docs/reference/openapi.json
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from pydantic import SecretStr

from evergreen.settings import Settings


def document() -> str:
    """Needs no running part: joining a worker connects to nothing."""

    async def described() -> dict[str, object]:
        from serving.app import create_app
        from serving.dependencies import build
        from serving.metrics import Metrics

        settings = Settings(signing_key=SecretStr("0" * 64))  # of no version: nothing is loaded here
        return create_app(build(settings, Metrics())).api.openapi()

    return json.dumps(asyncio.run(described()), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document())
