"""Versions, deployments and reports as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def versions_table(models: Sequence[Mapping[str, Any]]) -> None:
    console = Console()
    for model in models:
        served = f"{model['champion']} serves (epoch {model['epoch']})" if model["champion"] else "no champion yet: `evergreen models train`"
        table = Table("", "state", "cause", "trained on", "rows", "held out", title=f"{model['model']}: {served}", title_justify="left")
        for row in model["versions"]:
            error = "" if row["held_out_error"] is None else f"{row['held_out_error']:.4f}"
            table.add_row(_number(row), escape(_state(row)), row["cause"], "\n".join(row["trained"]), str(row["rows"]), error)
        console.print(table)
        for one in model["waiting"]:
            why = "" if one["why"] is None else f": {escape(one['why'])}"
            console.print(f"to come: {one['reason']}, {one['status']}, due {_minute(one['due_at'])}{why} (`evergreen explain {one['action_id']}`)")


def history_table(deployments: Sequence[Mapping[str, Any]]) -> None:
    table = Table("", "kind", "status", "epoch", "served", "why")
    for row in deployments:
        kind = f"{row['kind']} (forced)" if row["forced"] else row["kind"]
        why = row["reason"] if row["error"] is None else f"{row['reason']} – {row['error']}"
        served = "\n".join(filter(None, (_minute(row["served_from"]), _minute(row["served_to"]))))
        table.add_row(_number(row), kind, row["status"], str(row["epoch"]), served, escape(why))
    Console().print(table)


def report_text(report: Mapping[str, Any]) -> None:
    console = Console()
    console.print(f"[bold]{report['version']}[/bold]  {escape(_state(report))}")
    console.print(f"trained on {report['rows']} rows of {' … '.join(report['trained'])} because of {report['cause']}, in {report['cost_seconds']:.1f} s")
    card = report["scorecard"]
    if card is None:
        console.print("not judged yet")
    else:
        verdict = "approved" if card["approved"] else "refused"
        console.print(f"{verdict} against {card['reference']} on {card['n']} held-out rows")
        table = Table("gate", "", "what was found")
        for gate in card["gates"]:
            table.add_row(gate["name"], "passed" if gate["passed"] else "[bold]failed[/bold]", escape(gate["detail"]))
        console.print(table)
    performance = report["performance"]
    if performance is not None:
        low, high = performance["drop_interval"]
        found = "degraded" if performance["degraded"] else "fine"
        window = f"{performance['n']} outcomes of {' … '.join(performance['window'])}"
        console.print(f"{found}: error {performance['current']:.4f} on {window}, against {performance['baseline']:.4f} ({performance['against']})")
        console.print(f"relative drop between {low:+.1%} and {high:+.1%}; outcomes known of {performance['coverage']:.0%} of what it predicted in that window")
    guess = report["estimate"]
    if guess is not None:
        said, caveat = estimate_lines(guess)
        console.print(f"[bold]estimated[/bold]: {said}")
        console.print(caveat)
    if report["deployments"]:
        history_table(report["deployments"])
    console.print(report["url"], soft_wrap=True)


def estimate_lines(guess: Mapping[str, Any]) -> tuple[str, str]:
    """(the figures, what they are worth)."""
    window = f"{guess['n']} predictions of {' … '.join(guess['window'])}, {guess['coverage']:.0%} of their outcomes known"
    return f"error {guess['estimated']:.4f}, between {guess['low']:.4f} and {guess['high']:.4f}, on {window}", str(guess["caveat"])


def preview_text(found: Mapping[str, Any]) -> None:
    """Of `--dry-run`."""
    console = Console()
    serving = f"{found['champion']} serves (epoch {found['epoch']})" if found["champion"] else "nothing serves yet"
    console.print(f"[bold]{found['kind']} {found['target'] or found['model']}[/bold]  {serving}; nothing was changed")
    console.print(f"{found['outcome'].replace('_', ' ')}: {escape(found['reason'])}")
    table = Table("check", "", "what was found")
    for check in (*found["checks"], *({**gate, "name": f"gate {gate['name']}"} for gate in found["gates"])):
        table.add_row(check["name"], "passed" if check["passed"] else "[bold]failed[/bold]", escape(check["detail"]))
    console.print(table)


def _number(row: Mapping[str, Any]) -> str:
    return f"@{row['version'].rpartition('@')[2]}"


def _state(row: Mapping[str, Any]) -> str:
    words = ["champion" if row["champion"] else row["status"]]
    if row["stable"]:
        words.append("stable")
    if row["quarantined"] is not None:
        words.append(f"quarantined: {row['quarantined']}")
    if row["failed_gates"]:
        words.append(f"failed {', '.join(row['failed_gates'])}")
    return ", ".join(words)


def _minute(instant: str | None) -> str:
    return "" if instant is None else instant[:16].replace("T", " ")
