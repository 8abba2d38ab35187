"""What `evergreen events replay` says while it goes and at its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from evergreen.contracts.envelope import Event
    from evergreen.services.republish import Republished

LISTED = 20
EVERY = 5_000


class Shown:
    def __init__(self, *, as_json: bool, sends: bool) -> None:
        self._as_json = as_json
        self._sends = sends
        self._gone = 0

    def one(self, done: Republished, event: Event) -> None:
        """The first few by name; after that how far it is. To stderr when the answer is JSON."""
        self._gone += 1
        if self._gone <= LISTED:
            typer.echo(f"{event.time:%Y-%m-%d %H:%M:%S}  {event.type}  {event.subject}  {event.id}", err=self._as_json)
        elif self._gone % EVERY == 0:
            typer.echo(f"{self._gone} of {done.matched}", err=True)

    def end(self, done: Republished) -> None:
        if self._as_json:
            facts = {"matched": done.matched, "sent": done.sent, "dry_run": not self._sends}
            typer.echo(json.dumps({**facts, "types": dict(sorted(done.types.items())), "skipped": dict(sorted(done.skipped.items()))}))
            return
        if self._gone > LISTED:
            typer.echo(f"… and {self._gone - LISTED} more")
        for reason, count in sorted(done.skipped.items()):
            typer.echo(f"{count} not: {reason}")
        typer.echo(f"{done.sent} of {done.matched} are on their topics" if self._sends else f"{self._gone} of {done.matched} would be sent; --yes sends them")
