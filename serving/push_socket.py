"""Pushed lists over a WebSocket: each message one list with its place, `{"id": …, "list": {…}}`. It takes no messages."""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import aclosing
from typing import Any, cast
from urllib.parse import parse_qs

from starlette.routing import WebSocketRoute
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from evergreen.contracts.api_recommendations import USER_ID
from evergreen.core.access import Need
from evergreen.core.errors import InvalidRequest, NotFound
from serving.auth.needs import requires
from serving.auth.own import check_own
from serving.auth.refusals import Unauthorized
from serving.bounded import TRANSPORT
from serving.list_answers import ListAnswers
from serving.metrics import Metrics, StreamEnd
from serving.push import PLACE, SLOW_SECONDS, PushHub, Seat
from serving.push_stream import narrowed

PATH = "/recommendations/{user_id}/ws"
_CODES = {StreamEnd.DRAINED: 1012, StreamEnd.TOKEN: 4401, StreamEnd.TALKED: 1003}
_log = logging.getLogger("serving.sockets")
_log.setLevel(logging.WARNING)  # uvicorn would tell each connection with its query, and that holds tickets


class SocketProtocol(WebSocketsSansIOProtocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _log

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.handshake_complete:  # the application is called in the next turn
            cast("dict[str, Any]", self.scope)["extensions"][TRANSPORT] = self.transport


class ListSocket:
    """An ASGI application for one path. What refuses is raised before anything is accepted."""

    def __init__(self, hub: PushHub, answers: ListAnswers, metrics: Metrics) -> None:
        self._hub, self._answers, self._metrics = hub, answers, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises NotFound, Forbidden, InvalidRequest, Unavailable, TooManyRequests."""
        user, principal = scope["path_params"]["user_id"], scope["state"]["principal"]
        if re.fullmatch(USER_ID, user) is None:
            raise NotFound("no such user can be")
        check_own(principal, user)
        after = parse_qs(scope["query_string"].decode("latin-1")).get("last_event_id", [None])[-1]
        if after is not None and re.fullmatch(PLACE, after) is None:
            raise InvalidRequest("last_event_id is the `id` of the last message that came")
        seat = self._hub.join(user, principal)
        try:
            await self._serve(seat, after, scope, receive, send)
        finally:
            self._hub.leave(seat)

    async def _serve(self, seat: Seat, after: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        transport, end, talked = narrowed(scope), StreamEnd.BROKEN, asyncio.Event()
        watching = asyncio.create_task(_watch(receive, seat, talked))
        self._metrics.stream_begun("websocket")
        try:
            await send({"type": "websocket.accept"})
            end = await self._run(seat, after, send)
            if talked.is_set():
                end = StreamEnd.TALKED
            if end is not StreamEnd.GONE:
                await send({"type": "websocket.close", "code": _CODES.get(end, 1000)})
        except TimeoutError:
            end = StreamEnd.SLOW
            if transport is not None:
                transport.abort()
        except OSError:  # it went while something was said to it
            end = StreamEnd.GONE
        finally:
            watching.cancel()
            self._metrics.stream_ended("websocket", end)

    async def _run(self, seat: Seat, after: str | None, send: Send) -> StreamEnd:
        try:
            async with aclosing(self._hub.lists(seat, after)) as lists:
                async for pushed in lists:
                    # The protocol has heartbeats of its own.
                    if pushed is not None and (body := await self._answers.pushed(seat.user, pushed, seat.principal)) is not None:
                        async with asyncio.timeout(SLOW_SECONDS):
                            await send({"type": "websocket.send", "text": f'{{"id":"{pushed.id}","list":{body.decode()}}}'})
        except Unauthorized:
            return StreamEnd.TOKEN
        return self._hub.why(seat)


def socket_route(hub: PushHub, answers: ListAnswers, metrics: Metrics) -> WebSocketRoute:
    route = WebSocketRoute(PATH, ListSocket(hub, answers, metrics))
    route.openapi_extra = requires(Need.OWN, ticket=True)  # type: ignore[attr-defined]
    return route


async def _watch(receive: Receive, seat: Seat, talked: asyncio.Event) -> None:
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.receive":
            talked.set()
            break
    seat.leave()
