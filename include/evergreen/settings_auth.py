"""Who may call serving, how often, and from where (docs/guides/security.md). Part of `evergreen.settings`."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from evergreen.core.access import Role

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?")

SHORTEST_DASHBOARD_SECRET = 32


class LimitSettings(BaseModel):
    """Items a minute (any sixty seconds, all workers together), by the most generous role of a token. An item is one prediction, or one request."""

    user: int = Field(default=600, ge=1)
    viewer: int = Field(default=600, ge=1)
    analyst: int = Field(default=6_000, ge=1)
    operator: int = Field(default=6_000, ge=1)
    service: int = Field(default=30_000_000, ge=1)
    """An application of ours, and its batches: above what two cores can predict, so that it ends a loop and no work."""
    anonymous: int = Field(default=600, ge=1)
    """Of one address: requests without a token, and with one that proves nothing."""
    login: int = Field(default=30, ge=1)
    """Attempts at `/auth/token`: of one address, and on one account."""


class OidcSettings(BaseModel):
    """Another issuer whose tokens count too. Off without `jwks_url`."""

    issuer: str = ""
    audience: str = ""
    jwks_url: str = ""
    private: bool = False
    """The key set lies at a private address."""
    plain: bool = False
    """It may be fetched without TLS; refused outside development."""
    algorithms: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
    roles_claim: str = "roles"
    """A list, or words with spaces between them."""
    roles: dict[str, Role] = {}
    """JSON, what the issuer calls a role -> ours. What is not named gives nothing."""
    refresh_seconds: float = Field(default=300.0, ge=10)
    timeout_seconds: float = Field(default=3.0, gt=0, le=30)

    @model_validator(mode="after")
    def _whole(self) -> OidcSettings:
        if self.jwks_url and not (self.issuer and self.audience and self.roles):
            raise ValueError("an external issuer needs ISSUER, AUDIENCE, JWKS_URL and ROLES")
        if unfit := set(self.algorithms) - {"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"}:
            raise ValueError(f"only asymmetric algorithms, not {', '.join(sorted(unfit))}")
        return self


class AuthSettings(BaseModel):
    keys: SecretStr = SecretStr("")
    """Ed25519 keys for tokens, hex (32 bytes each) with commas between them: the first signs, all are accepted. Empty: those of `key_file`."""
    key_file: Path | None = None
    """Default: `token_keys` in the home, made at the first start."""
    first_accounts: SecretStr = SecretStr("")
    """JSON, name -> secret, of the accounts a first start makes where no local stack does it (containers)."""
    issuer: str = Field(default="evergreen", min_length=1)
    audience: str = Field(default="evergreen", min_length=1)
    token_minutes: int = Field(default=60, ge=1, le=1440)
    """How long a token from `/auth/token` lasts."""
    limits: LimitSettings = LimitSettings()
    oidc: OidcSettings = OidcSettings()
    trusted_proxies: tuple[str, ...] = ()
    """JSON list of networks (10.0.0.0/8) whose `X-Forwarded-For` is believed."""
    dashboard_secret: SecretStr = SecretStr("")
    """Shared with the dashboard alone: who shows it is believed about its visitors' addresses, as such a network is. Empty: nobody is."""
    cors_origins: tuple[str, ...] = ()
    """JSON list of web pages' origins that may call from a browser; none by default."""

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(network)) for network in networks)

    @field_validator("dashboard_secret")
    @classmethod
    def _long(cls, secret: SecretStr) -> SecretStr:
        said = secret.get_secret_value()
        if said and (len(said) < SHORTEST_DASHBOARD_SECRET or not said.isascii() or not said.isprintable()):
            raise ValueError(f"at least {SHORTEST_DASHBOARD_SECRET} ASCII characters: openssl rand -hex 32")
        return secret

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin; write one like https://dashboard.example:8443, in lower case")
        return origins
