"""`evergreen bloom`: the filters behind "was this video listed in the last seven days?"."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from evergreen.ports.seen_index import SeenStats

app = typer.Typer(help="The seen index: `stats` of its filters, or `rebuild` them from the silver table.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]


@app.command()
def stats(as_json: Json = False, days: Annotated[int, typer.Option(min=1, max=7)] = 7) -> None:
    """Filters of the last days, their capacity in items, estimated items, bits, and the measured error of asking all of them."""
    from evergreen.cli.context import parts

    joined = parts()
    today = joined.clock.now().date()
    found = joined.seen_index.stats(today, days)
    if as_json:
        typer.echo(json.dumps(_as_json(found)))
        return
    for one in found.filters:
        typer.echo(f"{one.day}  {one.layers} layer(s)  {one.estimated_items:>9,.0f} of {one.capacity:,} items  error {one.error:.2e}")
    state = "ready" if found.ready else "not ready: every answer is MAYBE until `evergreen bloom rebuild` or the indexer's next batch"
    typer.echo(
        f"{len(found.filters)} filters up to {today} (UTC), {found.bits / 8 / 1024:,.0f} KiB, error of the union {found.false_positive_rate:.2e}; {state}"
    )


@app.command()
def rebuild(as_json: Json = False) -> None:
    """Build the kept days anew from silver with pybloom-live and swap them in. Until it is done every answer is MAYBE; the indexer may go on."""
    from evergreen.cli.context import parts
    from evergreen.services.seen_index import fill_seen_index

    joined = parts()
    filled = fill_seen_index(joined.seen_index, joined.lake, list(joined.datasets.values()))
    if as_json:
        typer.echo(json.dumps({str(day): count for day, count in sorted(filled.items())}))
    elif filled:
        typer.echo("\n".join(f"{day}  {count:>9,} items" for day, count in sorted(filled.items())))
    else:
        typer.echo("The silver table is empty: so are the filters, and every answer is NO.")


def _as_json(found: SeenStats) -> dict[str, object]:
    return {
        "total_filters": len(found.filters),
        "total_capacity": found.total_capacity,
        "estimated_items": found.estimated_items,
        "false_positive_rate": found.false_positive_rate,
        "bits": found.bits,
        "ready": found.ready,
        "filters": [asdict(one) | {"day": str(one.day)} for one in found.filters],
    }
