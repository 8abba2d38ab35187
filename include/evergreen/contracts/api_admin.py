"""Bodies of `/dead-letters`, `/accounts`, `/tokens` and `/policy/pause`: what operators do. Instants named `time` are platform time, those
named `at` wall time."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, field_validator

from evergreen.contracts.api import Body, Text
from evergreen.contracts.api_experiments import Reason

MOST_LETTERS = 100
RoleName = Literal["user", "viewer", "analyst", "operator", "service"]
"""Those of `evergreen.core.access`; a test compares them."""
LetterId = Annotated[str, Field(pattern=r"^[0-9A-Za-z:-]{1,64}$")]


class LetterSaid(Body):
    id: str
    reason: str
    detail: str
    source_topic: str | None = Field(description="null: a letter of another writer that does not say, and cannot be sent back")
    source_partition: str | None
    source_offset: str | None
    attempts: str | None
    at: AwareDatetime = Field(description="When it was put aside")
    size: int = Field(description="Of its value, in bytes")
    redriven_at: AwareDatetime | None = Field(description="When it was last sent back")


class LetterWhole(LetterSaid):
    key: str | None
    headers: list[tuple[str, str | None]]
    value: str | None = Field(description="Its first 64 KiB as text; what is no UTF-8 is written as escapes")
    cut: bool = Field(description="There is more of it")


class LetterList(Body):
    letters: list[LetterSaid] = Field(description="Newest first")


class RedriveRequest(Body):
    why: Reason
    ids: Annotated[list[LetterId], Field(max_length=MOST_LETTERS)] = Field(default=[], description="Which; empty: the newest that were not sent back")
    reason: Annotated[Text, Field(max_length=64)] | None = Field(default=None, description="With no `ids`: only those put aside for this reason")
    changes: Annotated[dict[str, Any], Field(max_length=20)] = Field(
        default={}, description="Repairs fields of its JSON, for one letter alone", examples=[{"data.drift_score": 0.3}]
    )

    @field_validator("changes")
    @classmethod
    def _sayable(cls, changes: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(changes, ensure_ascii=False, allow_nan=False).encode()
        except ValueError as error:
            raise ValueError("no JSON in UTF-8 says NaN, infinity or half a character") from error
        return changes


class SentBackSaid(Body):
    id: str
    topic: str
    changed: bool


class RedriveAnswer(Body):
    sent: list[SentBackSaid]
    stayed: list[str] = Field(description="Those that do not say which topic they came from")
    failed: str | None = Field(description="Why others were not acknowledged; they can be sent again")


class AccountSaid(Body):
    name: str
    kind: Literal["person", "client"]
    roles: list[RoleName]
    disabled_at: AwareDatetime | None


class AccessChangeSaid(Body):
    what: Literal["added", "disabled", "enabled", "secret_changed", "token_revoked", "tokens_revoked"]
    subject: str
    who: str
    reason: str
    at: AwareDatetime


class AccountList(Body):
    accounts: list[AccountSaid]
    changes: list[AccessChangeSaid] = Field(description="Newest first")


AccountName = Annotated[Text, Field(min_length=1, max_length=256)]


class AccountRequest(Body):
    name: AccountName
    kind: Literal["person", "client"] = Field(default="person", description="client: an application, which asks with `client_credentials`")
    roles: Annotated[list[RoleName], Field(min_length=1, max_length=5)]
    reason: Reason


class AccountSecret(Body):
    name: str
    secret: str = Field(description="Shown this once: only its hash is kept")


class AccountChange(Body):
    name: AccountName
    change: Literal["disable", "enable", "revoke_tokens"]
    reason: Reason


class SecretRequest(Body):
    name: AccountName
    reason: Reason


class TokenRevocation(Body):
    id: Annotated[Text, Field(min_length=1, max_length=64)] = Field(description="A token's `jti`")
    reason: Reason


class Done(Body):
    done: Literal[True] = True


class PauseSaid(Body):
    paused: bool
    who: str | None
    reason: str | None
    time: AwareDatetime | None = Field(description="Of the newest turn; null: nobody ever paused")


class PauseRequest(Body):
    paused: bool
    reason: Reason
