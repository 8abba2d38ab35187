"""What a retrain came to, as one page a person reads: cause, data, what had changed, verdict with its numbers, segments, cost, and what became of
the version. The page stands alone: no script, nothing fetched. Pure: equal facts give equal bytes.

Guarantee: whatever others wrote (reasons, titles, names) stays text. Failure: markup in a reason. Remedy: every word goes through `_text`."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evergreen.contracts.events import GateResult

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--good:#2a7d46;--bad:#b3261e;--soft:#888}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1.5rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .4rem}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid var(--line);padding:.3rem .6rem .3rem 0;text-align:left;vertical-align:top}
td{overflow-wrap:anywhere}th{font-weight:600;white-space:nowrap}.good{color:var(--good)}.bad{color:var(--bad)}.soft{color:var(--soft)}
svg{display:block;max-width:100%}svg text{fill:currentColor;font-size:12px}
"""
_WIDTH, _HEIGHT, _MARGIN = 640, 56, 20
Row = tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """The candidate's error over the reference's, minus one; below zero is better."""

    reference: str
    candidate_error: float
    reference_error: float
    relative: float
    low: float
    high: float


@dataclass(frozen=True)
class RetrainReport:
    version: str
    verdict: str
    """In words: approved, or refused by what, or not judged yet."""
    approved: bool | None
    fate: str
    """What became of it, in a sentence."""
    why: tuple[Row, ...]
    data: tuple[Row, ...]
    changes: tuple[Row, ...]
    """What had changed in the world, as the causing events tell it: what, how."""
    metric: str
    comparison: Comparison | None
    segments: tuple[tuple[str, float], ...]
    gates: tuple[GateResult, ...]
    cost: tuple[Row, ...]
    served: tuple[tuple[str, ...], ...]
    """Its deployments, oldest first: kind, status, from, to, why."""


def page(report: RetrainReport) -> bytes:
    body = [
        f'<h1>{_text(report.version)}: <span class="{_colour(report.approved)}">{_text(report.verdict)}</span></h1>',
        f"<p>{_text(report.fate)}</p>",
        *_section("Why it was trained", _pairs(report.why)),
        *_section("What had changed", _pairs(report.changes) if report.changes else _note("Nothing is recorded as changed.")),
        *_section("Data", _pairs(report.data)),
        *_section("Compared on held-out rows", _comparison(report)),
        *_section("Segments", _segments(report.segments)),
        *_section("Gates", _gates(report.gates)),
        *_section("Cost", _pairs(report.cost)),
        *_section("Served", _table(("kind", "status", "from", "to", "why"), report.served) if report.served else _note("Never.")),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{_text(report.version)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{chr(10).join(body)}\n</body></html>\n'.encode()


def _text(words: object) -> str:
    """Also without the characters that turn the reading direction round or are none: they would make the page say something else."""
    plain = "".join(one if one.isprintable() or one in "\n\t" else "�" for one in str(words))
    return html.escape(plain)


def _colour(good: bool | None) -> str:
    return "soft" if good is None else "good" if good else "bad"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return [f"<h2>{_text(title)}</h2>", *lines]


def _note(words: str) -> list[str]:
    return [f'<p class="soft">{_text(words)}</p>']


def _pairs(rows: Sequence[Row]) -> list[str]:
    return ["<table>", *(f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in rows), "</table>"]


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    head = "".join(f"<th>{_text(name)}</th>" for name in names)
    return ["<table>", f"<tr>{head}</tr>", *(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows), "</table>"]


def _comparison(report: RetrainReport) -> list[str]:
    found = report.comparison
    if found is None:
        return _note("Not compared.")
    words = f"{report.metric}: {found.candidate_error:.4f} against {found.reference_error:.4f} of {found.reference}; "
    words += f"relative {found.relative:+.1%}, 95 % interval {found.low:+.1%} to {found.high:+.1%} (below zero is better)"
    return [f"<p>{_text(words)}</p>", _interval(found)]


def _interval(found: Comparison) -> str:
    """The interval as a bar around its point, with a line at zero."""
    reach = max(0.05, abs(found.low), abs(found.high)) * 1.1
    if not math.isfinite(reach):
        return ""

    def at(value: float) -> str:
        return f"{_MARGIN + (value / reach + 1) / 2 * (_WIDTH - 2 * _MARGIN):.1f}"

    colour = "var(--good)" if found.high < 0 else "var(--bad)" if found.low > 0 else "var(--soft)"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="interval of the relative error">'
        f'<line x1="{at(0)}" y1="4" x2="{at(0)}" y2="36" stroke="currentColor"/>'
        f'<line x1="{at(found.low)}" y1="20" x2="{at(found.high)}" y2="20" stroke="{colour}" stroke-width="6"/>'
        f'<circle cx="{at(found.relative)}" cy="20" r="6" fill="{colour}"/>'
        f'<text x="{at(0)}" y="52" text-anchor="middle">0</text>'
        f'<text x="{at(found.low)}" y="52" text-anchor="middle">{found.low:+.0%}</text>'
        f'<text x="{at(found.high)}" y="52" text-anchor="middle">{found.high:+.0%}</text></svg>'
    )


def _segments(segments: Sequence[tuple[str, float]]) -> list[str]:
    if not segments:
        return _note("None had enough rows.")
    rows = [f'<tr><td>{_text(name)}</td><td class="{_colour(worse <= 0)}">{worse:+.1%}</td></tr>' for name, worse in segments]
    return ["<table>", "<tr><th>segment</th><th>error against the reference's</th></tr>", *rows, "</table>"]


def _gates(gates: Sequence[GateResult]) -> list[str]:
    if not gates:
        return _note("Not judged yet.")
    rows = [
        f'<tr><th>{_text(one.name)}</th><td class="{_colour(one.passed)}">{"passed" if one.passed else "failed"}</td><td>{_text(one.detail)}</td></tr>'
        for one in gates
    ]
    return ["<table>", *rows, "</table>"]
