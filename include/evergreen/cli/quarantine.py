"""`evergreen quarantine`: what of a dataset's batches was set aside, and why."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evergreen.core.errors import NotFound

if TYPE_CHECKING:
    import pandas as pd

_SHOWN_REASONS = 5
_SHOWN_ROWS = 20


def register(app: typer.Typer) -> None:
    app.command("quarantine")(quarantine)


def quarantine(
    dataset: str,
    batch: Annotated[str | None, typer.Option(help="One batch: its rows instead of their number.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per batch, or per row of one.")] = False,
) -> None:
    """Rows that did not enter silver: per batch how many and the commonest reasons. A row comes back when its batch is announced again repaired."""
    from evergreen.cli.context import parts

    found = dict(parts().lake.quarantined(dataset))
    if batch is not None:
        if batch not in found:
            raise NotFound(f"nothing of batch {batch!r} of {dataset} was set aside; batches with such rows: {', '.join(found) or 'none'}")
        _show_rows(found[batch], as_json)
        return
    for name, rows in found.items():
        reasons = Counter(rows["reason"].astype("str")).most_common()
        if as_json:
            typer.echo(json.dumps({"batch": name, "rows": len(rows), "reasons": dict(reasons)}, ensure_ascii=False))
        else:
            typer.echo(f"{name}  {len(rows):>6,} rows  {'; '.join(f'{count} × {_printable(reason)}' for reason, count in reasons[:_SHOWN_REASONS])}")
    if not found and not as_json:
        typer.echo(f"No row of {dataset} was set aside.")


def _show_rows(rows: pd.DataFrame, as_json: bool) -> None:
    given = rows.astype(object).where(rows.notna(), None)
    for row in (given if as_json else given.head(_SHOWN_ROWS)).to_dict("records"):
        values: dict[str, Any] = {str(name): value for name, value in row.items()}
        if as_json:
            typer.echo(json.dumps(values, ensure_ascii=False, default=str))
        else:
            told = ", ".join(f"{name} {value}" for name, value in values.items() if value is not None and name != "reason")
            typer.echo(f"{_printable(values['reason'])}\n    {_printable(told)}")
    if not as_json and len(rows) > _SHOWN_ROWS:
        typer.echo(f"… and {len(rows) - _SHOWN_ROWS:,} more; --json shows them all")


def _printable(text: object) -> str:
    """What a source wrote must not steer a terminal."""
    return "".join(one if one.isprintable() else "\ufffd" for one in str(text))
