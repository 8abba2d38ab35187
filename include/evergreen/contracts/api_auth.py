"""Bodies of `/auth/token` and `/auth/ticket`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TokenRequest(BaseModel):
    """A form (RFC 6749). Fields of extensions are left aside, as that asks for."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    grant_type: Literal["client_credentials", "password"]
    client_id: str | None = Field(default=None, max_length=256, description="`client_credentials`: here, or by HTTP Basic")
    client_secret: str | None = Field(default=None, max_length=256, repr=False)
    username: str | None = Field(default=None, max_length=256, description="`password`")
    password: str | None = Field(default=None, max_length=256, repr=False)
    scope: str = Field(default="", max_length=200, description="Roles with spaces between them; empty: all the account has")


class TokenAnswer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - RFC 6749
    expires_in: int = Field(description="Seconds")
    scope: str = Field(description="Roles")


class TicketAnswer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    ticket: str = Field(description="For the query of one stream: a browser's EventSource and WebSocket send no headers")
    expires_in: int = Field(description="Seconds")
