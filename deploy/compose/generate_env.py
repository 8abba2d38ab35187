"""Write the secrets docker-compose.yml asks for into `.env` (0600): those that are missing, never over one that is there.

    python3 deploy/compose/generate_env.py [FILE]

Needs nothing but Python: it runs on a machine that has only a container engine. The data volumes are locked with these secrets;
keep the file as long as the volumes.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def token() -> str:
    return secrets.token_hex(24)


def key() -> str:
    return secrets.token_hex(32)


def fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def airflow_passwords() -> str:
    return "'" + json.dumps({user: secrets.token_urlsafe(12) for user in ("admin", "operator", "viewer")}) + "'"


def accounts() -> str:
    """Of serving, as they are made at the first start (evergreen.services.manage_access.FIRST)."""
    return "'" + json.dumps({name: secrets.token_urlsafe(18) for name in ("admin", "analyst", "viewer", "app")}) + "'"


SECRETS: dict[str, Callable[[], str]] = {
    "POSTGRES_PASSWORD": token,
    "AIRFLOW_DB_PASSWORD": token,
    "MLFLOW_DB_PASSWORD": token,
    "APP_RW_PASSWORD": token,
    "APP_RO_PASSWORD": token,
    "REDIS_PASSWORD": token,
    "EVERGREEN_SIGNING_KEY": key,
    "AIRFLOW_FERNET_KEY": fernet_key,
    "AIRFLOW_JWT_SECRET": key,
    "AIRFLOW_SECRET_KEY": key,
    "MLFLOW_SECRET_KEY": key,
    "AIRFLOW_PASSWORDS": airflow_passwords,
    "SERVING_TOKEN_KEYS": key,
    "SERVING_ACCOUNTS": accounts,
    "DASHBOARD_SECRET": key,
}


def complete(file: Path) -> list[str]:
    """Add what is missing; returns the names added. The file is never readable by others, not even for a moment."""
    lines = file.read_text().splitlines() if file.exists() else []
    present = {line.partition("=")[0].strip() for line in lines if line.partition("=")[2].strip()}
    missing = [name for name in SECRETS if name not in present]
    kept = [line for line in lines if line.partition("=")[0].strip() not in missing]
    partial = file.with_name(file.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.writelines(f"{line}\n" for line in [*kept, *(f"{name}={SECRETS[name]()}" for name in missing)])
    partial.replace(file)
    return missing


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".env"
    added = complete(target)
    sys.stdout.write(f"{target}: {len(added)} secrets added\n" if added else f"{target} is complete, nothing changed\n")
