"""Every secret of one home, generated at its first start and kept (mode 0600), since the data is locked with them."""

from __future__ import annotations

import base64
import secrets

from pydantic import BaseModel, Field

from evergreen.core.errors import StackError
from evergreen.local_stack.home import Home, write_private
from evergreen.services.manage_access import FIRST


def _token() -> str:
    return secrets.token_hex(24)


def _key() -> str:
    return secrets.token_hex(32)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _airflow_users() -> dict[str, str]:
    return {name: secrets.token_urlsafe(12) for name in ("admin", "operator", "viewer")}


def _serving_accounts() -> dict[str, str]:
    return {name: secrets.token_urlsafe(18) for name in FIRST}


class Credentials(BaseModel):
    """Hex or base64 throughout: they stand in URLs, configuration files and environments without quoting."""

    postgres: str = Field(default_factory=_token)
    airflow_db: str = Field(default_factory=_token)
    mlflow_db: str = Field(default_factory=_token)
    app_rw: str = Field(default_factory=_token)
    app_ro: str = Field(default_factory=_token)
    redis: str = Field(default_factory=_token)
    signing_key: str = Field(default_factory=_key)
    airflow_fernet_key: str = Field(default_factory=_fernet_key)
    airflow_jwt_secret: str = Field(default_factory=_key)
    airflow_secret_key: str = Field(default_factory=_key)
    mlflow_secret_key: str = Field(default_factory=_key)
    dashboard_secret: str = Field(default_factory=_key)
    airflow_users: dict[str, str] = Field(default_factory=_airflow_users)
    serving_accounts: dict[str, str] = Field(default_factory=_serving_accounts)
    """As they were made; who changed one with `evergreen users` knows better."""


def load_credentials(home: Home) -> Credentials:
    """The home's secrets; missing ones are generated and written before they are used anywhere."""
    file = home.credentials_file
    try:
        stored = Credentials.model_validate_json(file.read_text()) if file.exists() else Credentials()
    except ValueError as error:
        raise StackError(f"{file} cannot be read ({error}); restore it, or start anew with `make clean` (this deletes the stack's data)") from None
    write_private(file, stored.model_dump_json(indent=2))
    return stored
