"""What a worker runs: the edge, the hot routes, and behind them FastAPI with all others.

FastAPI costs half a second to import and build, so it is built beside the answering, once the worker answers its hot routes; who asks for
another route before waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.dependencies import Serving
from serving.middleware import Edge
from serving.predict_video import predict_video
from serving.routes.open_inference import inference_hot
from serving.routes.scoring import scoring_hot

if TYPE_CHECKING:
    from serving.api import Api


class App:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._api = _Later(serving)
        hot = [predict_video(serving), *scoring_hot(serving), *inference_hot(serving)]
        gate, cors = serving.access.gate, serving.access.cors
        self.edge = Edge(self._api, gate=gate, cors=cors, hot=hot, metrics=serving.metrics, draining=lambda: serving.draining)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._lifespan(receive, send) if scope["type"] == "lifespan" else self.edge(scope, receive, send))

    @property
    def api(self) -> Api:
        """For its document."""
        return self._api.built()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._serving.start()
        await send({"type": "lifespan.startup.complete"})
        building = asyncio.create_task(self._api.ready())
        await receive()
        await self._serving.stop()
        building.cancel()
        await send({"type": "lifespan.shutdown.complete"})


def create_app(serving: Serving) -> App:
    return App(serving)


class _Later:
    """FastAPI's application, built in a thread when it is first wanted."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._api: Api | None = None
        self._guard: ASGIApp | None = None
        self._lock = asyncio.Lock()

    def built(self) -> Api:
        if self._api is None:
            from serving.api import create_api
            from serving.auth.guard import Guard

            cold = self._serving.cold()
            api = create_api(self._serving, cold)
            self._guard = Guard(api, api.router, self._serving.access.gate, cold.tickets)
            self._api = api
        return self._api

    async def ready(self) -> Api:
        if self._api is None:
            async with self._lock:
                await asyncio.to_thread(self.built)
        return self.built()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._guard is None:
            await self.ready()
        assert self._guard is not None  # noqa: S101 - it is built with the application
        await self._guard(scope, receive, send)
