"""`evergreen models ledger`: what retrains were worth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer


def ledger(
    model: Annotated[str | None, typer.Argument(help="Default: every model of the home.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """What retrains cost, promised and were worth. Below zero: the error became smaller."""
    from evergreen.cli.context import parts
    from evergreen.services.ledger import ShowLedger

    made = parts()
    names = list(made.specs) if model is None else [made.spec(model).name]
    shown = ShowLedger(made.store, made.specs)
    found = [shown.run(name, made.clock.now()) for name in names]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for one in found:
        ledger_text(one)


def ledger_text(found: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "cause", "cost", "promised", "realised", "rows", "avoided", "outcome", title=f"{found['model']}: {found['metric']}", title_justify="left")
    for row in found["entries"]:
        avoided = "" if row["avoided"] is None else f"{row['avoided']:+.2f}"
        outcome = row["outcome"] if row["closed"] or not row["rows"] else f"{row['outcome']} (so far)"
        numbers = [_share(row["promised"], row["promised_interval"]), _share(row["realised"], row["realised_interval"]), str(row["rows"]), avoided]
        table.add_row(f"@{row['version'].rpartition('@')[2]}", escape(row["cause"]), f"{row['cost_seconds']:.1f} s", *numbers, outcome)
    console, totals = Console(), found["totals"]
    console.print(table)
    mean = "" if totals["mean_realised"] is None else f"; promised {totals['mean_promised']:+.1%}, realised {totals['mean_realised']:+.1%} on average"
    counts = f"{totals['retrains']} retrains in {totals['cost_seconds']:.1f} s: {totals['served']} served"
    console.print(f"{counts}, {totals['refused']} refused, {totals['rolled_back']} rolled back{mean}; loss avoided {totals['avoided']:+.2f}")


def _share(point: float | None, interval: list[float] | None) -> str:
    if point is None:
        return ""
    return f"{point:+.1%}" if interval is None else f"{point:+.1%} [{interval[0]:+.1%}, {interval[1]:+.1%}]"
