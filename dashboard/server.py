"""The ASGI application: Streamlit's own, and before it the sign-in. Whoever is not signed in gets the sign-in page and no view."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import streamlit as st
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime.pages_manager import PagesManager

from dashboard.chrome import LANGUAGE_COOKIE, REMEMBERED_SECONDS
from dashboard.deployment import Deployment, deployment
from dashboard.document import send_document
from dashboard.reports import drift_report
from dashboard.sign_in import Refused, forwarded, signed_in
from dashboard.words import LANGUAGES, chosen, words

SESSION_COOKIE = "evergreen_session"
_FOLDER = Path(__file__).parent
_TEMPLATES = Environment(loader=FileSystemLoader(_FOLDER / "templates"), autoescape=select_autoescape(), auto_reload=False)
_OPEN = ("/_stcore/", "/static/", "/component/", "/media/", "/sign-in", "/sign-out", "/favicon")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "frame-ancestors 'self'; base-uri 'self'; form-action 'self'; object-src 'none'",
}


def create_app() -> ASGIApp:
    """Pages are those of `app.py`. Streamlit would take the folder `pages/` for them until `app.py` has run once: whoever came first by a page's
    own address would see nothing."""
    PagesManager.uses_pages_directory = False
    routes = [
        Route("/sign-in", _show, methods=["GET"]),
        Route("/sign-in", _take, methods=["POST"]),
        Route("/sign-out", _sign_out, methods=["GET"]),
        Route("/reports/drift/{report_id:uuid}", _drift_report, methods=["GET"]),
    ]
    app: ASGIApp = st.App(_FOLDER / "app.py", routes=routes, middleware=[Middleware(Door)])
    return app


class Door:
    """Guarantee: without a session, nothing of a page leaves, neither its document nor its stream of elements."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        document = scope["method"] == "GET" and not path.startswith(_OPEN) and "text/html" in Headers(scope=scope).get("accept", "")
        if document and _session_of(Request(scope)) is None:
            back = path + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
            await RedirectResponse(f"/sign-in?next={quote(back)}", 303)(scope, receive, send)
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *((name.lower().encode(), value.encode()) for name, value in _HEADERS.items())]
            await send(message)

        await (send_document(self._app, scope, receive, headed) if document else self._app(scope, receive, headed))


def _session_of(request: Request) -> Any:
    return deployment().sessions.of(request.cookies.get(SESSION_COOKIE))


def _language(request: Request) -> str:
    return chosen(request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))


def _safe(path: str) -> str:
    """Where to go after the sign-in: within this site."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\", "/sign-")) else "/"


def _page(request: Request, *, name: str = "", error: str = "", status: int = 200) -> Response:
    language = _language(request)
    page = _TEMPLATES.get_template("sign_in.html")
    html = page.render(t=words(language), language=language, languages=LANGUAGES, next=_safe(request.query_params.get("next", "/")), name=name, error=error)
    answer = HTMLResponse(html, status, headers={"Cache-Control": "no-store"})
    if "lang" in request.query_params:
        answer.set_cookie(LANGUAGE_COOKIE, language, max_age=REMEMBERED_SECONDS, samesite="lax")
    return answer


async def _show(request: Request) -> Response:
    session = _session_of(request)
    if session is not None and "again" in request.query_params:
        return _page(request, name=session.subject)
    if session is not None:
        return RedirectResponse(_safe(request.query_params.get("next", "/")), 303)
    return _page(request)


async def _take(request: Request) -> Response:
    site = request.headers.get("origin")
    if site is not None and site.partition("://")[2] != request.headers.get("host", ""):
        return Response("another site's form", 403)  # nobody is signed in as somebody else by a page they happen to visit
    form = await request.form()
    name, password = str(form.get("name", ""))[:256], str(form.get("password", ""))[:256]
    there: Deployment = deployment()
    try:
        came_from = forwarded(request.client.host if request.client else "", request.headers.getlist("x-forwarded-for"))
        token = await signed_in(there.pool, name, password, came_from=came_from, secret=there.secret)
    except Refused as error:
        return _page(request, name=name, error=error.key, status=error.status)
    answer = RedirectResponse(_safe(request.query_params.get("next", "/")), 303)
    known = _session_of(request)
    if known is not None and known.subject == name:
        there.sessions.renew(known, token.roles, token.token, token.seconds)
        session = request.cookies[SESSION_COOKIE]
    else:
        session = there.sessions.begin(name, token.roles, token.token, token.seconds)
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    answer.set_cookie(SESSION_COOKIE, session, httponly=True, samesite="lax", secure=secure, max_age=int(token.seconds))
    return answer


async def _drift_report(request: Request) -> Response:
    return await drift_report(_session_of(request), request.path_params["report_id"])


async def _sign_out(request: Request) -> Response:
    deployment().sessions.end(request.cookies.get(SESSION_COOKIE))
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer
