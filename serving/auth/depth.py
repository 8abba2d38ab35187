"""How deep a JSON body goes, told from its bytes before anything parses it."""

from __future__ import annotations

from json import detect_encoding

from evergreen.core.errors import InvalidRequest

DEEPEST = 32
_BRACKETS = b"[]{}"
_OTHERS = bytes(set(range(256)) - set(_BRACKETS))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_JSON = ("application/json", "+json")


class TooDeep(InvalidRequest):
    def __init__(self) -> None:
        super().__init__(f"arrays and objects may be nested {DEEPEST} deep")


def too_deep(body: bytes, deepest: int = DEEPEST) -> bool:
    """Whether arrays and objects are nested more than `deepest` times. Brackets in strings do not count. Of what is no JSON it says true at
    most: a parser refuses that anyway. Costs a few passes in C over the body, and one count where there are few brackets."""
    if body.count(b"[") + body.count(b"{") <= deepest:
        return False
    if b"\x00" in body:  # UTF-16 or UTF-32, which parsers take too
        body = body.decode(detect_encoding(body), "replace").encode()
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    outside = b"".join(plain.split(b'"')[::2]) if b'"' in plain else plain
    left = outside.translate(_ONE_KIND, _OTHERS)
    if b"[" * (deepest + 1) in left:
        return True
    for _ in range(deepest):  # each pass takes the innermost level away
        before, left = len(left), left.replace(b"[]", b"")
        if not left or len(left) == before:
            break
    return b"[" in left


def is_json(media_type: str) -> bool:
    """What is not said to be something else is taken for JSON."""
    plain = media_type.partition(";")[0].strip().lower()
    return not plain or plain.endswith(_JSON)
