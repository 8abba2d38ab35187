"""`evergreen token` and `evergreen users`: what people type, also when they type it wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from typer.testing import CliRunner

from evergreen.adapters.memory.store import MemoryStore
from evergreen.adapters.passwords import Argon2
from evergreen.adapters.token_check import check
from evergreen.adapters.token_keys import TokenKeys
from evergreen.cli import context, token, users
from evergreen.core.access import Role
from evergreen.core.clock import wall_now
from evergreen.core.errors import InvalidRequest
from evergreen.services.manage_access import ManageAccess
from evergreen.settings import Settings

Run = Callable[..., Any]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def run(store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path))
    parts = SimpleNamespace(access=SimpleNamespace(manage=ManageAccess(store, Argon2())))
    monkeypatch.setattr(context, "parts", lambda: parts)
    return lambda app, *words: CliRunner().invoke(app, list(words))


def test_a_token_can_be_put_into_a_variable(run: Run, tmp_path: Path) -> None:
    made = run(token.app, "create", "--role", "service", "--role", "operator", "--subject", "shop")
    assert made.exit_code == 0
    ring = TokenKeys(Settings(home=tmp_path)).ring
    found = check(made.stdout.strip(), ring.accepted, issuer="evergreen", audience="evergreen", now=wall_now().timestamp())
    assert (found.subject, found.roles) == ("shop", frozenset({Role.SERVICE, Role.OPERATOR}))
    assert 3595 <= found.expires_at - found.issued_at <= 3600


def test_for_scripts_it_says_its_id_and_end(run: Run) -> None:
    said = json.loads(run(token.app, "create", "--role", "viewer", "--minutes", "5", "--json").stdout)
    assert set(said) == {"access_token", "token_type", "id", "expires_at"}
    assert jwt.decode(said["access_token"], options={"verify_signature": False})["jti"] == said["id"]
    assert jwt.decode(said["access_token"], options={"verify_signature": False})["sub"].startswith("cli:")


@pytest.mark.parametrize("words", [("create",), ("create", "--role", "root"), ("revoke",), ("revoke", "a", "--subject", "b")])
def test_half_a_wish_is_refused(run: Run, words: tuple[str, ...]) -> None:
    assert run(token.app, *words).exit_code == 2


def test_an_id_or_the_token_itself_is_revoked(run: Run, store: MemoryStore) -> None:
    made = json.loads(run(token.app, "create", "--role", "viewer", "--json").stdout)
    assert run(token.app, "revoke", made["access_token"]).stdout == f"revoked {made['id']}\n"
    run(token.app, "revoke", "another")
    run(token.app, "revoke", "--subject", "ann")
    with store.transaction() as tx:
        found = tx.revocations.current(wall_now())
    assert (found.tokens, set(found.subjects)) == (frozenset({made["id"], "another"}), {"ann"})
    assert isinstance(run(token.app, "revoke", "a.b.c").exception, InvalidRequest)


def test_keys_are_rotated_and_the_old_one_dropped(run: Run, tmp_path: Path) -> None:
    run(token.app, "create", "--role", "viewer")
    assert "signs from now on" in run(token.app, "rotate-keys").stdout
    assert len((tmp_path / "token_keys").read_text().split()) == 2
    assert "count no more" in run(token.app, "rotate-keys", "--drop-old").stdout
    assert len((tmp_path / "token_keys").read_text().split()) == 1


def test_keys_from_the_environment_are_rotated_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_AUTH__KEYS", "ab" * 32)
    assert isinstance(run(token.app, "rotate-keys").exception, InvalidRequest)


def test_an_account_is_added_listed_disabled_and_enabled(run: Run, store: MemoryStore) -> None:
    secret = run(users.app, "add", "ann", "--role", "analyst").stdout.strip()
    run(users.app, "add", "shop", "--role", "service", "--client")
    with store.transaction() as tx:
        account = tx.accounts.get("ann")
    assert account is not None
    assert Argon2().verify(secret, account.secret_hash)
    assert run(users.app, "disable", "ann").exit_code == 0
    listed = json.loads(run(users.app, "list", "--json").stdout)
    assert [(one["name"], one["kind"], one["roles"], bool(one["disabled"])) for one in listed] == [
        ("ann", "person", ["analyst"], True),
        ("shop", "client", ["service"], False),
    ]
    assert run(users.app, "enable", "ann").exit_code == 0
    assert "disabled" not in run(users.app, "list").stdout
    assert secret not in run(users.app, "list").stdout
