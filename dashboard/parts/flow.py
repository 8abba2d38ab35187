"""The loop as a picture: five stations in a row, one below the other on a phone. HTML of our own; everything that was told is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

STYLE = """<style>
.eg-flow {display: flex; gap: 1.6rem; list-style: none; margin: .25rem 0 1rem; padding: 0 !important; align-items: stretch}
.eg-flow li {flex: 1 1 0; min-width: 0; position: relative; margin: 0 !important}
.eg-flow li:not(:last-child)::after {content: "→"; position: absolute; right: -1.35rem; top: 42%; opacity: .55; font-size: 1.1rem}
.eg-station {display: flex; flex-direction: column; height: 100%; padding: .8rem .9rem; border-radius: .8rem; color: inherit !important;
  text-decoration: none !important; border: 1px solid color-mix(in srgb, currentColor 18%, transparent);
  background: color-mix(in srgb, currentColor 3%, transparent); gap: .15rem}
a.eg-station:hover {border-color: color-mix(in srgb, currentColor 45%, transparent)}
a.eg-station:focus-visible {outline: 3px solid #3fbf87; outline-offset: 2px}
.eg-station.good {border-left: 4px solid #2f9e6b}
.eg-station.busy {border-left: 4px solid #3b82c4}
.eg-station.bad {border-left: 4px solid #d5473f}
.eg-name {font-size: .8rem; opacity: .75; font-weight: 600}
.eg-main {font-size: 1.35rem; font-weight: 700; line-height: 1.25; overflow-wrap: anywhere}
.eg-main.long {font-size: 1.02rem}
.eg-line {font-size: .82rem; opacity: .85; overflow-wrap: anywhere}
.eg-bars {display: flex; align-items: flex-end; gap: 1px; height: 1.7rem; margin-top: auto; padding-top: .35rem}
.eg-bars i {flex: 1; min-width: 1px; background: #2f9e6b; border-radius: 1px; opacity: .85}
.eg-new {animation: eg-glow 2.5s ease-out 1}
@keyframes eg-glow {from {box-shadow: 0 0 0 4px color-mix(in srgb, #3fbf87 60%, transparent)} to {box-shadow: 0 0 0 4px transparent}}
@media (prefers-reduced-motion: reduce) {.eg-new {animation: none}}
@media (max-width: 900px) {.eg-flow {flex-direction: column; gap: 1.35rem}
  .eg-flow li:not(:last-child)::after {content: "↓"; right: auto; left: 50%; top: auto; bottom: -1.35rem} .eg-main.long {font-size: 1.1rem}}
</style>"""


@dataclass(frozen=True)
class Station:
    name: str
    main: str
    lines: Sequence[str] = ()
    link: str | None = None
    """Address of its page; None: the viewer has none."""
    tone: str = ""
    """good, busy, bad, or nothing to say."""
    bars: Sequence[float] = ()
    bars_say: str = ""
    fresh: bool = False


def flow(stations: Sequence[Station], label: str) -> str:
    return f'<ol class="eg-flow" aria-label="{escape(label)}">' + "".join(f"<li>{_station(one)}</li>" for one in stations) + "</ol>"


def _station(one: Station) -> str:
    classes = " ".join(name for name in ("eg-station", one.tone, "eg-new" if one.fresh else "") if name)
    size = " long" if len(one.main) > 14 else ""
    inside = f'<span class="eg-name">{escape(one.name)}</span><span class="eg-main{size}">{_broken(one.main)}</span>'
    inside += "".join(f'<span class="eg-line">{_broken(line)}</span>' for line in one.lines)
    inside += _bars(one.bars, one.bars_say)
    if one.link is None:
        return f'<div class="{classes}">{inside}</div>'
    return f'<a class="{classes}" href="{escape(one.link)}" target="_self">{inside}</a>'


def _broken(text: str) -> str:
    """Escaped; long names may be broken where a person would."""
    return escape(text).replace("_", "_<wbr>").replace("@", "<wbr>@")


def _bars(values: Sequence[float], says: str) -> str:
    most = max(values, default=0.0)
    if not values or most <= 0:
        return ""
    bars = "".join(f'<i style="height: {max(round(100 * value / most), 4)}%"></i>' for value in values)
    return f'<span class="eg-bars" role="img" aria-label="{escape(says)}">{bars}</span>'
