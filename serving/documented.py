"""Hot routes as FastAPI sees them: documented, and reached by paths the edge does not know."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from evergreen.core.access import ANONYMOUS
from serving.auth.needs import requires
from serving.hot import Call, HotRoute


def document(router: APIRouter, route: HotRoute, **described: object) -> None:
    """`described` is what `add_api_route` takes (responses, openapi_extra, summary …)."""

    async def endpoint(request: Request) -> Response:
        state = request.state
        call = Call(
            body=await request.body(),
            path=request.url.path,
            params={name: str(value) for name, value in request.path_params.items()},
            headers=dict(request.headers),
            query=request.url.query,
            principal=getattr(state, "principal", ANONYMOUS),
            request_id=state.request_id,
            traceparent=state.traceparent,
        )
        reply = await route.handle(call)
        return Response(reply.body, reply.status, dict(reply.headers), reply.media_type)

    endpoint.__doc__ = route.handle.__doc__
    extra = {**described.pop("openapi_extra", {}), **requires(route.need)}  # type: ignore[dict-item]
    router.add_api_route(route.template, endpoint, methods=[route.method], response_class=Response, openapi_extra=extra, **described)  # type: ignore[arg-type]
