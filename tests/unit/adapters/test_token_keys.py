"""Keys for tokens: made once, for this user only, changed without a restart, never weak outside development."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from evergreen.adapters.token_keys import TokenKeys, ensure_key_file, new_seed, ring_of, rotate
from evergreen.core.errors import UnsafeSettings
from evergreen.settings import Settings
from evergreen.settings_auth import AuthSettings

GOOD = "8f3a1c5e7b9d0246813579acef02468bdf13579ace02468bdf0a1b2c3d4e5f60"


def production(home: Path, keys: str = "") -> Settings:
    return Settings(home=home, environment="production", auth=AuthSettings(keys=SecretStr(keys)))


def test_the_first_start_makes_one_for_this_user_only_and_the_next_keeps_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "token_keys"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ensure_key_file(file), range(16)))
    made = file.read_text()
    ensure_key_file(file)
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (made, 0o600)
    assert [entry.name for entry in file.parent.iterdir()] == ["token_keys"]


def test_a_rotation_keeps_one_older_key_and_is_noticed(tmp_path: Path) -> None:
    keys = TokenKeys(Settings(home=tmp_path))
    first = keys.ring.kid
    assert not keys.reload()
    second = rotate(tmp_path / "token_keys")
    assert keys.reload()
    assert (keys.ring.kid, set(keys.ring.accepted)) == (second, {first, second})
    third = rotate(tmp_path / "token_keys")
    keys.reload()
    assert set(keys.ring.accepted) == {second, third}
    fourth = rotate(tmp_path / "token_keys", drop_old=True)
    keys.reload()
    assert set(keys.ring.accepted) == {fourth}
    assert stat.S_IMODE((tmp_path / "token_keys").stat().st_mode) == 0o600


def test_a_broken_file_leaves_the_ring_as_it_is(tmp_path: Path) -> None:
    keys = TokenKeys(Settings(home=tmp_path))
    ring = keys.ring
    (tmp_path / "token_keys").write_text("half")
    assert not keys.reload()
    (tmp_path / "token_keys").unlink()
    assert not keys.reload()
    assert keys.ring is ring


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no key"),
        ("abc", "32 bytes"),
        (GOOD[:-2], "32 bytes"),
        (GOOD.upper(), "32 bytes"),
        ("secret" * 11, "32 bytes"),
        ("00" * 32, "not random"),
        ("0123456789abcdef" * 4, "not random"),
        (",".join([GOOD] * 3), "at most 2"),
        (f"{GOOD},11", "key 2"),
    ],
)
def test_a_weak_short_or_missing_key_is_refused_and_not_quoted(text: str, said: str) -> None:
    with pytest.raises(UnsafeSettings, match=said) as refused:
        ring_of(text)
    assert not text or text[:8] not in str(refused.value)


def test_production_makes_none_by_itself_and_takes_none_that_others_may_read(tmp_path: Path) -> None:
    with pytest.raises(UnsafeSettings, match="is not there"):
        TokenKeys(production(tmp_path))
    (tmp_path / "token_keys").write_text(new_seed())
    os.chmod(tmp_path / "token_keys", 0o640)
    with pytest.raises(UnsafeSettings, match="others may read"):
        TokenKeys(production(tmp_path))
    os.chmod(tmp_path / "token_keys", 0o600)
    assert TokenKeys(production(tmp_path)).ring.kid
    assert TokenKeys(production(tmp_path, GOOD)).ring.kid == ring_of(GOOD).kid
    with pytest.raises(UnsafeSettings, match="not random"):
        TokenKeys(production(tmp_path, "ab" * 32))


def test_no_setting_switches_authentication_off() -> None:
    """There is none to look for: whoever adds one finds this test."""
    names = {name for model in (AuthSettings, type(AuthSettings().limits), type(AuthSettings().oidc)) for name in model.model_fields}
    assert not {name for name in names if any(word in name for word in ("enabled", "disable", "off", "anonymous_role", "insecure", "skip", "allow_all"))}
