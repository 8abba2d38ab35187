"""The door of the dashboard: nobody passes without an account of the API's, and no token leaves the process."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

import dashboard.server as server
from dashboard.api_client import connection_pool
from dashboard.deployment import Deployment
from dashboard.sessions import Sessions
from evergreen.core.access import Need, Role
from evergreen.core.clock import wall_now
from tests.support.dashboard_server import dashboard_server

TOKEN = "a.token.of-servings"
HTML = {"accept": "text/html"}


SECRET = "of-the-dashboard-and-of-serving-alone"
asked: list[httpx.Request] = []


def serving(request: httpx.Request) -> httpx.Response:
    asked.append(request)
    form = httpx.QueryParams(request.content.decode())
    if form["username"] == "away":
        raise httpx.ConnectError("refused")
    if form["username"] == "eager":
        return httpx.Response(429, json={"title": "Too many"})
    if form["password"] != "right":
        return httpx.Response(401, json={"title": "Wrong"})
    return httpx.Response(200, json={"access_token": TOKEN, "expires_in": 3600, "scope": "analyst viewer"})


@pytest.fixture(scope="module")
def there() -> Deployment:
    return Deployment(Sessions(), connection_pool("http://serving", httpx.MockTransport(serving)), secret=SECRET)


@pytest.fixture(scope="module")
def address(there: Deployment) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patched, dashboard_server() as url:  # one for all: Streamlit allows one in a process
        patched.setattr(server, "deployment", lambda: there)
        yield url


@pytest.fixture
def visitor(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address) as client:
        yield client


def signed_in(visitor: httpx.Client, **more: str) -> httpx.Response:
    return visitor.post("/sign-in", params=more, data={"name": "ann", "password": "right"})


def test_whoever_is_not_signed_in_is_led_to_the_sign_in_and_back(visitor: httpx.Client) -> None:
    answer = visitor.get("/models?lang=ko", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/models%3Flang%3Dko")
    answer = signed_in(visitor, next="/models?lang=ko")
    assert (answer.status_code, answer.headers["location"]) == (303, "/models?lang=ko")
    assert visitor.get("/models", headers=HTML).status_code == 200


def test_the_token_stays_here_and_the_cookie_is_out_of_reach_of_scripts(visitor: httpx.Client, there: Deployment) -> None:
    answer = signed_in(visitor)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert TOKEN not in answer.text + str(answer.headers)
    session = there.sessions.of(visitor.cookies[server.SESSION_COOKIE])
    assert session is not None
    assert (session.subject, session.token, session.roles) == ("ann", TOKEN, frozenset({Role.ANALYST, Role.VIEWER}))
    assert TOKEN not in repr(session)
    assert session.may(Need.READ)
    assert not session.may(Need.ACT)


def test_signing_out_ends_the_session_for_whoever_kept_the_cookie(visitor: httpx.Client, there: Deployment) -> None:
    signed_in(visitor)
    kept = visitor.cookies[server.SESSION_COOKIE]
    assert visitor.get("/sign-out").headers["location"] == "/sign-in"
    assert there.sessions.of(kept) is None
    assert visitor.get("/", headers=HTML | {"cookie": f"{server.SESSION_COOKIE}={kept}"}).status_code == 303


def test_who_signs_in_again_goes_on_in_the_same_session_with_a_new_token(visitor: httpx.Client, there: Deployment) -> None:
    signed_in(visitor)
    kept = visitor.cookies[server.SESSION_COOKIE]
    held = there.sessions.of(kept)
    assert held is not None
    held.token, held.ends_at = "an.old.token", wall_now() + timedelta(seconds=5)
    assert visitor.get("/sign-in?next=/models").headers["location"] == "/models"  # who has a session and asks for no other
    assert 'value="ann"' in visitor.get("/sign-in?again=1&next=/models").text
    assert signed_in(visitor, again="1", next="/models").headers["location"] == "/models"
    assert visitor.cookies[server.SESSION_COOKIE] == kept
    assert there.sessions.of(kept) is held
    assert (held.token, held.seconds_left > 3500) == (TOKEN, True)


def test_somebody_else_gets_a_session_of_their_own(visitor: httpx.Client, there: Deployment) -> None:
    signed_in(visitor)
    kept = visitor.cookies[server.SESSION_COOKIE]
    visitor.post("/sign-in", params={"again": "1"}, data={"name": "bob", "password": "right"})
    mine, other = there.sessions.of(kept), there.sessions.of(visitor.cookies[server.SESSION_COOKIE])
    assert mine is not None
    assert other is not None
    assert (mine.subject, other.subject) == ("ann", "bob")


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [("ann", 401, "Name or password is wrong"), ("eager", 429, "Too many attempts"), ("away", 503, "does not answer right now")],
)
def test_a_refusal_says_why_and_keeps_the_name(visitor: httpx.Client, name: str, status: int, words: str) -> None:
    answer = visitor.post("/sign-in", data={"name": name, "password": "wrong"})
    assert answer.status_code == status
    assert words in answer.text
    assert f'value="{name}"' in answer.text
    assert server.SESSION_COOKIE not in visitor.cookies


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ((), "127.0.0.1"),
        (("203.0.113.9",), "203.0.113.9, 127.0.0.1"),
        (("1.1.1.1, x", "::1"), "1.1.1.1, x, ::1, 127.0.0.1"),
        (("évil",), "?vil, 127.0.0.1"),
        ((",".join(f"10.0.0.{at}" for at in range(99)),), ", ".join([*(f"10.0.0.{at}" for at in range(81, 99)), "127.0.0.1"])),
    ],
    ids=["nothing", "a-proxy", "several", "no-address", "very-many"],
)
def test_serving_is_told_where_a_visitor_comes_from_behind_what_he_says_himself(visitor: httpx.Client, said: tuple[str, ...], told: str) -> None:
    form = {"name": "ann", "password": "right"}
    visitor.post("/sign-in", data=form, headers=[("x-forwarded-for", value.encode("latin-1")) for value in said])  # type: ignore[arg-type]
    assert asked[-1].headers["x-forwarded-for"] == told
    assert asked[-1].headers["x-evergreen-dashboard"] == SECRET
    assert SECRET not in repr(asked[-1].url) + asked[-1].content.decode()


def test_without_the_secret_serving_is_told_nothing(visitor: httpx.Client, there: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "deployment", lambda: replace(there, secret=""))
    signed_in(visitor)
    assert not {"x-forwarded-for", "x-evergreen-dashboard"} & set(asked[-1].headers)


def test_behind_a_proxy_with_tls_the_cookie_is_for_tls_alone(visitor: httpx.Client) -> None:
    answer = visitor.post("/sign-in", data={"name": "ann", "password": "right"}, headers={"x-forwarded-proto": "https"})
    assert "Secure" in answer.headers["set-cookie"]
    assert "Secure" not in signed_in(visitor).headers["set-cookie"]


def test_a_name_stays_text(visitor: httpx.Client) -> None:
    answer = visitor.post("/sign-in", data={"name": '"><img src=x onerror=alert(1)>', "password": "wrong"})
    assert "<img" not in answer.text


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "https://evil.example", "/sign-out"])
def test_nobody_is_led_to_another_site(visitor: httpx.Client, path: str) -> None:
    assert signed_in(visitor, next=path).headers["location"] == "/"


def test_another_sites_form_is_refused(visitor: httpx.Client) -> None:
    answer = visitor.post("/sign-in", data={"name": "ann", "password": "right"}, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    assert server.SESSION_COOKIE not in visitor.cookies


def test_the_sign_in_speaks_korean_and_remembers_it(visitor: httpx.Client) -> None:
    assert "로그인" in visitor.get("/sign-in?lang=ko").text
    assert "로그인" in visitor.get("/sign-in").text
    assert visitor.get("/sign-in").headers["content-security-policy"].startswith("frame-ancestors 'self'")


def test_a_pages_document_tells_the_browser_where_the_server_is(visitor: httpx.Client) -> None:
    """Else it looks under the page's own address first, and has an error in its console."""
    signed_in(visitor)
    for headers in (HTML, {**HTML, "accept-encoding": "gzip", "if-none-match": "*"}):
        answer = visitor.get("/system", headers=headers)
        assert answer.status_code == 200
        assert "<head><script>window.__streamlit = {BACKEND_BASE_URL: location.origin}</script>" in answer.text
        assert int(answer.headers["content-length"]) == len(answer.content)


def test_every_theme_names_as_many_colours_as_charts_ask_for() -> None:
    """With fewer than ten, Streamlit fills up with what is no colour, and plotly takes none of them."""
    theme = tomllib.loads(Path("dashboard/.streamlit/config.toml").read_text())["theme"]
    assert [len(theme["chartCategoricalColors"]), len(theme["dark"]["chartCategoricalColors"])] == [10, 10]
