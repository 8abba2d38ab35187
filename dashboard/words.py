"""The dashboard's texts in its languages: `locale/<language>/<page>.toml`, looked up as `t("page.key")`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from babel import negotiate_locale

LANGUAGES = {"ko": "한국어", "en": "English"}
FALLBACK = "en"
_FOLDER = Path(__file__).parent / "locale"
Words = Callable[..., str]
"""A key, and what stands in its braces."""


def chosen(asked: str | None, remembered: str | None, accepted: str) -> str:
    """`?lang=` first, then the cookie, then what the browser prefers (`Accept-Language`)."""
    for one in (asked, remembered):
        if one in LANGUAGES:
            return str(one)
    preferred = [part.partition(";")[0].strip() for part in accepted.split(",")]
    return negotiate_locale(preferred, LANGUAGES, sep="-") or FALLBACK


@cache
def texts(language: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for file in sorted((_FOLDER / language).glob("*.toml")):
        _flatten(tomllib.loads(file.read_text()), file.stem, found)
    return found


def _flatten(tree: Mapping[str, Any], above: str, into: dict[str, str]) -> None:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            _flatten(value, f"{above}.{name}", into)
        else:
            into[f"{above}.{name}"] = value


def words(language: str) -> Words:
    known = texts(language)

    def t(key: str, **values: Any) -> str:
        return known[key].format(**values) if values else known[key]

    return t


def named(t: Words, group: str, name: str, otherwise: str | None = None) -> str:
    """A word for what the platform calls `name` (an event, a state, a gate); a new one stands as it is, or as `otherwise`."""
    try:
        return t(f"{group}.{name}")
    except KeyError:
        return name.replace("_", " ") if otherwise is None else otherwise
