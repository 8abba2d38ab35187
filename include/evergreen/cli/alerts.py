"""`evergreen alerts`: what was raised, what was told to whom, and what shall stay quiet."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from evergreen.core.notices import Silence
    from evergreen.ports.alerts import AlertRow
    from evergreen.ports.notifications import NoticeRow

app = typer.Typer(help="Alerts: what was raised, what was told to which channel, silences, a test message.", no_args_is_help=True)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class UpTo(StrEnum):
    low = "low"
    medium = "medium"
    high = "high"
    critical = "critical"


class Status(StrEnum):
    pending = "pending"
    sent = "sent"
    failed = "failed"


@app.command("list")
def list_alerts(
    model: Annotated[str | None, typer.Option(help="Only of this model; - for those of none.")] = None,
    limit: Annotated[int, typer.Option(help="The newest so many.", min=1, max=1000)] = 50,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """The newest alerts, and what the notifier did about each."""
    from evergreen.cli.context import parts

    with parts().store.transaction() as tx:
        rows = tx.alerts.newest(limit, model)
    if as_json:
        typer.echo(json.dumps([_alert(row) for row in rows], ensure_ascii=False))
        return
    for row in rows:
        typer.echo(f"{row.time:%Y-%m-%d %H:%M}  {row.outcome or 'waiting':9}  {row.title}\n    {row.message}")
    if not rows:
        typer.echo("no alerts")


@app.command("log")
def log_of_notices(
    status: Annotated[Status | None, typer.Option(help="Only these: `failed` are those that were given up.")] = None,
    limit: Annotated[int, typer.Option(help="The newest so many.", min=1, max=1000)] = 50,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """The newest messages to channels, with their fate."""
    from evergreen.cli.context import parts

    with parts().store.transaction() as tx:
        rows = tx.notices.newest(limit, None if status is None else status.value)
    if as_json:
        typer.echo(json.dumps([_notice(row) for row in rows], ensure_ascii=False))
        return
    for row in rows:
        why = f"\n    {row.error}" if row.error else ""
        tries = f", {row.attempts} attempts" if row.attempts > 1 else ""
        typer.echo(f"{row.created_at:%Y-%m-%d %H:%M:%S}  {row.notice.channel:12}  {row.status}{tries}  {row.notice.title.en}{why}")
    if not rows:
        typer.echo("nothing was told yet")


@app.command()
def silence(
    lasts: Annotated[str, typer.Option("--for", help="How long, in platform time: 30m, 2h, 1d.")],
    reason: Annotated[str, typer.Option(help="Why; others will see it.")],
    model: Annotated[str | None, typer.Option(help="Of this model, service or dataset.")] = None,
    event_type: Annotated[str | None, typer.Option("--type", help="Of this event type, for example data_drift_detected.")] = None,
    up_to: Annotated[UpTo, typer.Option(help="The highest severity that stays quiet.")] = UpTo.critical,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Say nothing about some alerts for a while. They are still recorded, and the policy still acts."""
    from evergreen.cli.context import parts
    from evergreen.environment import user_name
    from evergreen.services.silence import SilenceAlerts

    here = parts()
    silences = SilenceAlerts(here.store, here.clock)
    made = silences.begin(lasts=_duration(lasts), who=user_name(), reason=reason, model=model, event_type=event_type, up_to=up_to.value)
    typer.echo(json.dumps(_silence(made), ensure_ascii=False) if as_json else f"{_line(made)}\nEnd it with `evergreen alerts unsilence {str(made.id)[-12:]}`.")


@app.command()
def silences(
    every: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """What is silenced, until when, by whom and why."""
    from evergreen.cli.context import parts

    here = parts()
    with here.store.transaction() as tx:
        rows = tx.silences.newest(1000) if every else tx.silences.running(here.clock.now())
    if as_json:
        typer.echo(json.dumps([_silence(row) for row in rows], ensure_ascii=False))
        return
    for row in rows:
        typer.echo(_line(row))
    if not rows:
        typer.echo("nothing is silenced")


@app.command()
def unsilence(silence_id: Annotated[str, typer.Argument(metavar="ID", help="As `alerts silences` shows it.")]) -> None:
    """End a silence now. What came meanwhile is not told afterwards."""
    from evergreen.cli.context import parts
    from evergreen.environment import user_name
    from evergreen.services.silence import SilenceAlerts

    here = parts()
    ended = SilenceAlerts(here.store, here.clock).end(silence_id, user_name())
    typer.echo(f"ended: {_line(ended)}")


@app.command("test")
def send_test(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Send a test message through every channel. Exit code 1 when one did not take it."""
    from evergreen.cli.context import parts
    from evergreen.core.errors import NotFound
    from evergreen.services.try_channels import try_channels

    here = parts()
    if not here.notifier.channels:
        raise NotFound("no channel is configured: set EVERGREEN_NOTIFY__CHANNELS (docs/guides/alerts.md) and start again")
    results = try_channels(here.notifier.channels, here.clock)
    if as_json:
        typer.echo(json.dumps([{"channel": one.channel, "delivered": one.error is None, "error": one.error} for one in results], ensure_ascii=False))
    else:
        for one in results:
            typer.echo(f"{one.channel}: {'delivered' if one.error is None else f'not delivered: {one.error}'}")
    if any(one.error for one in results):
        raise typer.Exit(1)


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})([mhd])", text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r}: write 30m, 2h or 1d", param_hint="--for")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _line(row: Silence) -> str:
    about = ", ".join(filter(None, (row.model, row.event_type))) or "everything"
    ceiling = "" if row.up_to == "critical" else f" up to {row.up_to}"
    by = f" by {row.ended_by}" if row.ended_by else ""
    over = "" if row.ended_at is None else f" (ended {row.ended_at:%Y-%m-%d %H:%M}{by})"
    return f"{str(row.id)[-12:]}  {about}{ceiling} until {row.until:%Y-%m-%d %H:%M} UTC, by {row.who}: {row.reason}{over}"


def _silence(row: Silence) -> dict[str, Any]:
    return {name: _plain(value) for name, value in vars(row).items()}


def _alert(row: AlertRow) -> dict[str, Any]:
    own = {name: value for name, value in vars(row).items() if name not in {"details", "resolves"}}
    return {name: _plain(value) for name, value in {**own, **vars(row.details), "event_type": row.event_type}.items()}


def _notice(row: NoticeRow) -> dict[str, Any]:
    fate = {name: _plain(value) for name, value in vars(row).items() if name != "notice"}
    return {**row.notice.facts("both"), "channel": row.notice.channel, **fate}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | None) else _text(value)


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
