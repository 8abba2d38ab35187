"""Another issuer: its keys fetched over real HTTP, its tokens checked against them and nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evergreen.adapters import oidc
from evergreen.adapters.oidc import ExternalIssuer
from evergreen.core.access import BadToken, Role
from evergreen.core.clock import wall_now
from evergreen.core.errors import UnsafeSettings
from evergreen.settings_auth import OidcSettings


@dataclass
class Issuer:
    """Publishes keys, and signs with them."""

    keys: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    asked: int = 0
    port: int = 0
    filler: str = ""

    def add(self, kid: str, key: Any = None) -> None:
        self.keys[kid] = key or ec.generate_private_key(ec.SECP256R1())

    def document(self) -> bytes:
        def one(kid: str, key: Any) -> dict[str, Any]:
            kinds = (jwt.algorithms.ECAlgorithm, "ES256") if isinstance(key, ec.EllipticCurvePrivateKey) else (jwt.algorithms.RSAAlgorithm, "RS256")
            return {**json.loads(kinds[0].to_jwk(key.public_key())), "kid": kid, "alg": kinds[1]}

        return json.dumps({"keys": [one(kid, key) for kid, key in self.keys.items()], "x": self.filler}).encode()

    def token(self, kid: str, key: Any = None, algorithm: str = "ES256", **other: Any) -> str:
        now = int(wall_now().timestamp())
        body = {"iss": "https://id.example", "aud": "evergreen-api", "sub": "u1", "iat": now, "exp": now + 60, "roles": ["staff"], **other}
        return jwt.encode({name: value for name, value in body.items() if value is not None}, key or self.keys[kid], algorithm, headers={"kid": kid})


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    found = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            body = found.document()
            self.send_response(found.status)
            self.send_header("content-length", str(len(body)))
            self.send_header("location", "http://169.254.169.254/")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join(5)


def settings(port: int, **other: Any) -> OidcSettings:
    own: dict[str, Any] = {"issuer": "https://id.example", "audience": "evergreen-api", "roles": {"staff": "analyst", "ops": "operator"}}
    return OidcSettings(**{**own, "jwks_url": f"http://127.0.0.1:{port}/keys", "private": True, "plain": True, **other})


def known(issuer: Issuer, **other: Any) -> ExternalIssuer:
    issuer.add("k1")
    found = ExternalIssuer(settings(issuer.port, **other))
    assert found.due()
    assert found.refresh()
    return found


def test_its_token_counts_with_the_roles_it_was_given_here(issuer: Issuer) -> None:
    found = known(issuer)
    assert found.check(issuer.token("k1")).roles == {Role.ANALYST}
    assert found.check(issuer.token("k1", roles="ops staff other")).roles == {Role.ANALYST, Role.OPERATOR}
    issuer.add("r1", rsa.generate_private_key(65537, 2048))
    found.refresh()
    assert found.check(issuer.token("r1", algorithm="RS256")).subject == "u1"


@pytest.mark.parametrize(
    "other",
    [
        {"roles": ["root"]},
        {"roles": None},
        {"roles": {"staff": 1}},
        {"roles": [["staff"]]},
        {"iss": "https://evil.example"},
        {"aud": "other"},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"nbf": 9_999_999_999},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\nb"},
    ],
)
def test_what_is_not_for_us_is_refused(issuer: Issuer, other: dict[str, Any]) -> None:
    with pytest.raises(BadToken):
        known(issuer).check(issuer.token("k1", **other))


def test_the_algorithm_is_the_keys(issuer: Issuer) -> None:
    found = known(issuer)
    public = issuer.keys["k1"].public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    forged = [
        issuer.token("k1", public, "HS256"),
        issuer.token("k1", None, "ES256").rpartition(".")[0] + ".",
        issuer.token("k1", ec.generate_private_key(ec.SECP256R1())),
        jwt.encode({"sub": "u1"}, "", "none", headers={"kid": "k1"}),
        "a.b.c",
        "",
        "x" * 9000,
    ]
    for token in forged:
        with pytest.raises(BadToken):
            found.check(token)


def test_a_new_key_counts_after_the_next_look_and_looks_are_not_made_to_order(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    found = known(issuer)
    issuer.add("k2")
    with pytest.raises(BadToken):
        found.check(issuer.token("k2"))
    assert not found.due()  # whoever sends made-up names does not make us ask at every one
    monkeypatch.setattr(oidc, "RETRY_SECONDS", 0.0)
    assert found.due()
    assert found.refresh()
    assert found.check(issuer.token("k2")).subject == "u1"
    assert issuer.asked == 2


def test_while_it_is_away_or_says_nonsense_the_last_keys_stay(issuer: Issuer) -> None:
    found, token = known(issuer), issuer.token("k1")
    for status, keys, filler in ((500, dict(issuer.keys), ""), (302, dict(issuer.keys), ""), (200, {}, ""), (200, dict(issuer.keys), "x" * 300_000)):
        issuer.status, issuer.keys, issuer.filler = status, keys, filler
        assert not found.refresh()
        assert found.check(token).subject == "u1"


def test_where_the_keys_lie_is_checked(issuer: Issuer) -> None:
    issuer.add("k1")
    with pytest.raises(UnsafeSettings, match="JWKS_URL"):
        ExternalIssuer(settings(issuer.port, plain=False))
    inside = ExternalIssuer(settings(issuer.port, private=False))
    assert not inside.refresh()
    assert issuer.asked == 0


@pytest.mark.parametrize("other", [{"issuer": ""}, {"audience": ""}, {"roles": {}}, {"algorithms": ("HS256",)}, {"algorithms": ("none",)}])
def test_half_a_setting_and_shared_secrets_are_refused(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"issuer|asymmetric"):
        settings(1, **other)
