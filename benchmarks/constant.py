"""The yardstick: what Starlette under uvicorn does when there is nothing to do. `python -m uvicorn benchmarks.constant:app`."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

ANSWER = b'{"predictions":[4.876543210123456]}'


async def constant(_request: Request) -> Response:
    return Response(ANSWER, media_type="application/json")


app = Starlette(routes=[Route("/{anything:path}", constant, methods=["POST"])])
