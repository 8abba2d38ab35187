"""Where in a TOML text something stands: the standard library's reader does not say."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[([^\]]+)\]")


def line_of(text: str, section: str, key: str) -> int:
    """Line (from 1) of `key` in `[section]`; the section's header where the key is not there, line 1 where neither is."""
    header, current = (1 if not section else 0), ""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _HEADER.match(line):
            current = ".".join(part.strip().strip("\"'") for part in found[1].split("."))
            if header == 0 and (current == section or current.startswith(f"{section}.") or (not key and current == section)):
                header = number
            if not section and key and current.split(".")[0] == key:
                return number
        elif current == section and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return header or 1
