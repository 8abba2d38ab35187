"""Our own check of our tokens, held against the library's, and against whoever forges them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.adapters.token_check import check
from evergreen.adapters.token_keys import KeyRing, TokenKeys, new_seed, ring_of
from evergreen.adapters.token_mint import OwnToken, TokenMint
from evergreen.core.access import BadToken, Principal, Role
from evergreen.core.clock import wall_now
from evergreen.core.errors import InvalidRequest
from evergreen.settings import Settings
from tests.support.forged import FORGED, claims, part, signed

RING = ring_of(new_seed())


def checked(token: str, ring: KeyRing = RING, now: float | None = None) -> Principal:
    return check(token, ring.accepted, issuer="evergreen", audience="evergreen", now=wall_now().timestamp() if now is None else now)


@pytest.fixture
def keys(tmp_path: Path) -> TokenKeys:
    return TokenKeys(Settings(home=tmp_path))


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused(name: str) -> None:
    with pytest.raises(BadToken) as refused:
        checked(FORGED[name](RING))
    assert "mallory" not in str(refused.value)


def test_the_token_they_are_made_from_counts() -> None:
    good = checked(signed(RING, claims()))
    assert (good.subject, good.roles, good.token_id) == ("mallory", frozenset({Role.OPERATOR, Role.SERVICE}), "0123456789abcdef")


def test_a_minted_token_counts_here_and_for_the_library(keys: TokenKeys) -> None:
    minted = TokenMint(Settings().auth, keys).mint("김 서비스", [Role.SERVICE], 10)
    found = checked(minted.token, keys.ring)
    assert (found.subject, found.token_id) == ("김 서비스", minted.token_id)
    public = keys.ring.accepted[keys.ring.kid]
    said = jwt.decode(minted.token, public, algorithms=["EdDSA"], audience="evergreen", issuer="evergreen", options={"require": ["exp", "iat", "sub", "jti"]})
    assert (said["sub"], said["exp"]) == (found.subject, found.expires_at)


@pytest.mark.parametrize(("subject", "roles", "minutes"), [("", [Role.USER], 1), ("a\n", [Role.USER], 1), ("a", [], 1), ("a", [Role.USER], 10**6)])
def test_a_token_nobody_would_accept_is_not_made(keys: TokenKeys, subject: str, roles: list[Role], minutes: float) -> None:
    with pytest.raises(InvalidRequest):
        TokenMint(Settings().auth, keys).mint(subject, roles, minutes)


def test_it_counts_until_the_second_it_expires() -> None:
    token = signed(RING, claims(iat=1_000_000, exp=1_000_600))
    assert checked(token, now=1_000_599.9).expires_at == 1_000_600
    with pytest.raises(BadToken, match="expired"):
        checked(token, now=1_000_600)


def test_a_process_keeps_its_own_token_for_half_its_life(keys: TokenKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    own, start = OwnToken(TokenMint(Settings().auth, keys), "monitor", [Role.SERVICE]), time.monotonic()
    first = own()
    assert own() == first
    monkeypatch.setattr(time, "monotonic", lambda: start + 400)
    assert own() != first


CLAIM = st.none() | st.booleans() | st.integers(-(2**41), 2**41) | st.text(max_size=4) | st.lists(st.text(max_size=3), max_size=2)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "scope", "x"]), CLAIM, max_size=3))
def test_whatever_the_library_refuses_is_refused_here(other: dict[str, Any]) -> None:
    token = signed(RING, claims(**other))
    try:
        checked(token)
    except BadToken:
        return
    public = RING.accepted[RING.kid]
    jwt.decode(
        token, public, algorithms=["EdDSA"], audience="evergreen", issuer="evergreen", leeway=5, options={"require": ["exp", "iat", "sub", "jti", "aud"]}
    )


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_changed_byte_of_a_token_counts(data: st.DataObject) -> None:
    token = signed(RING, claims())
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCabc019-_.+/= é").filter(lambda letter: letter != token[at]))
    with pytest.raises(BadToken):
        checked(token[:at] + other + token[at + 1 :])


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: f"{part(raw)}.{part(raw)}.{part(raw)}"))
def test_no_text_breaks_it(text: str) -> None:
    with pytest.raises(BadToken):
        checked(text)
