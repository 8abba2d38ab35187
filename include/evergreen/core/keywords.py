"""What somebody typed, as it is looked for."""

from __future__ import annotations

from evergreen.core.errors import InvalidRequest

_SPACES = str.maketrans("\n\r\t", "   ")


def keyword_of(typed: str) -> str:
    """Without the spaces around it. Raises InvalidRequest when nothing is left to look for."""
    keyword = typed.translate(_SPACES).strip(" ")
    if not keyword:
        raise InvalidRequest("there is nothing to look for: send at least one character that is no space")
    return keyword


def contains_pattern(keyword: str) -> str:
    r"""For LIKE: the keyword anywhere, its own `%`, `_` and `\` standing for themselves."""
    return "%" + keyword.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
