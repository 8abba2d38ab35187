"""Small tables a screen reader can walk and a phone can scroll. Cells are HTML: whoever makes one escapes what it says."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

_STYLE = """<style>
.eg-scroll {overflow-x: auto}
.eg-table {border-collapse: collapse; width: 100%; font-size: .9rem}
.eg-table th, .eg-table td {border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); padding: .45rem .8rem .45rem 0;
  text-align: left; vertical-align: top; overflow-wrap: anywhere; min-width: 6.5rem}
.eg-table thead th {font-weight: 600; opacity: .75; white-space: nowrap}
.eg-table tbody th {font-weight: 600}
.eg-good {color: light-dark(#12724d, #3fbf87); white-space: nowrap} .eg-bad {color: light-dark(#b3261e, #ff8a80); white-space: nowrap}
.eg-numbers {font-size: .8rem; opacity: .8; font-variant-numeric: tabular-nums}
.eg-numbers span {display: inline-block; margin-right: .8rem}
.eg-soft {opacity: .7; font-size: .85rem}
</style>"""


def table_style() -> None:
    st.html(_STYLE)


def table(titles: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f"<th scope='col'>{escape(title)}</th>" for title in titles)
    return f"<div class='eg-scroll' tabindex='0'><table class='eg-table'><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"


def row(name: str, *cells: str) -> str:
    """All of it HTML."""
    return f"<tr><th scope='row'>{name}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
