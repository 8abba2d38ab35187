"""Why a request is not let in, with the headers its answer carries."""

from __future__ import annotations

from collections.abc import Mapping

from evergreen.core.errors import EvergreenError


class Refused(EvergreenError):
    def __init__(self, why: str, headers: Mapping[str, str]) -> None:
        super().__init__(why)
        self.headers = headers


class Unauthorized(Refused):
    """401: nobody, or a token that proves nothing."""

    def __init__(self, why: str = "", *, scheme: str = "Bearer") -> None:
        challenge = f'{scheme} realm="evergreen"' + (f', error="invalid_token", error_description="{why}"' if why and scheme == "Bearer" else "")
        said = f"this token does not count: {why}" if why else "a token is needed: Authorization: Bearer …, from POST /auth/token or `evergreen token create`"
        super().__init__(said, {"WWW-Authenticate": challenge})


class Forbidden(Refused):
    """403: somebody who may not."""

    def __init__(self, why: str) -> None:
        super().__init__(why, {"WWW-Authenticate": 'Bearer realm="evergreen", error="insufficient_scope"'})


class TooManyRequests(Refused):
    """429."""

    def __init__(self, why: str, headers: Mapping[str, str]) -> None:
        super().__init__(why, headers)


class HeadersTooLarge(Refused):
    """431."""

    def __init__(self) -> None:
        super().__init__("fewer headers, or shorter ones", {})
