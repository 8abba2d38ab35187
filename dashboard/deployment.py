"""What the pages share within the process: sessions and the connections to serving. Streamlit runs its script anew for every view; modules stay."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import httpx

from dashboard.api_client import Api, connection_pool
from dashboard.sessions import Session, Sessions
from evergreen.settings import load_settings


@dataclass(frozen=True)
class Deployment:
    sessions: Sessions
    pool: httpx.Client
    airflow_url: str = ""
    mlflow_url: str = ""
    """Where a browser finds their UIs."""
    secret: str = field(default="", repr=False)
    """For serving: who shows it is believed about its visitors' addresses. Empty: they are not told."""

    def api(self, session: Session) -> Api:
        return Api(self.pool, lambda: session.token, session.signed_out.is_set)


@cache
def deployment() -> Deployment:
    settings = load_settings()
    pool = connection_pool(settings.dashboard.serving_url or settings.serving.url)
    mlflow_url, secret = settings.mlflow.public_url or settings.mlflow.tracking_uri, settings.auth.dashboard_secret.get_secret_value()
    return Deployment(Sessions(), pool, settings.airflow.url, mlflow_url, secret)
