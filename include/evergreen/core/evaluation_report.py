"""A version's evaluation as a page a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evergreen.core.evaluation import Scorecard


@dataclass(frozen=True)
class Origin:
    """Where the judged version comes from."""

    cause: str
    trained: str
    """`first day … last day`."""
    rows: int
    cost_seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)


def markdown(card: Scorecard, origin: Origin) -> str:
    """Cause, data, verdict with its reason, every gate with what was found, segments."""
    verdict = "approved" if card.approved else f"refused by {', '.join(card.failed)}"
    window = f"{card.first_day} … {card.last_day}" if card.first_day else "none"
    lines = [
        f"# {card.model_version}: {verdict}",
        "",
        f"- why it was trained: {origin.cause}",
        f"- on: {origin.rows} rows of {origin.trained}, in {origin.cost_seconds:.1f} s",
        f"- judged on: {card.n} held-out rows of {window}, against {card.reference}",
        *(f"- {name}: {value:.4f}" for name, value in origin.metrics.items()),
        "",
        "| gate | | what was found |",
        "|---|---|---|",
        *(f"| {gate.name} | {'passed' if gate.passed else '**failed**'} | {gate.detail.replace('|', '/')} |" for gate in card.gates),
    ]
    segments = {name.removeprefix("segment_"): worse for gate in card.gates if gate.name == "segments" for name, worse in gate.numbers.items()}
    if segments:
        lines += ["", "| segment | error against the reference's |", "|---|---|", *(f"| {name} | {worse:+.1%} |" for name, worse in segments.items())]
    return "\n".join(lines) + "\n"
