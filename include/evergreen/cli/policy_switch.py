"""`evergreen policy pause|resume|shadow`: the kill switch, and a candidate policy that decides and does nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Recorded with it.")]


def register(app: typer.Typer) -> None:
    for command in (pause, resume, shadow):
        app.command()(command)


def pause(reason: Reason, as_json: Json = False) -> None:
    """Stop retrains, rollbacks and scaling; promotions wait. Checks, alerts and what a person asks for go on. Effective at once."""
    _turn(paused=True, reason=reason, as_json=as_json)


def resume(reason: Reason = "resumed", as_json: Json = False) -> None:
    """End a pause; what waited goes on."""
    _turn(paused=False, reason=reason, as_json=as_json)


def _turn(*, paused: bool, reason: str, as_json: bool) -> None:
    from evergreen.cli.context import parts, whoever
    from evergreen.services.pause import TurnSwitch

    here = parts()
    turned = TurnSwitch(here.store, here.clock).run(paused=paused, who=whoever(), reason=reason)
    if as_json:
        typer.echo(json.dumps({"paused": paused, "changed": turned}))
    elif not turned:
        typer.echo("it is paused already" if paused else "it is not paused")
    else:
        typer.echo("paused: `evergreen policy resume` ends it" if paused else "resumed: what waited goes on")


def shadow(
    file: Annotated[Path | None, typer.Argument(help="A candidate policy, decided from now on beside the one in force.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End it; what it decided stays recorded.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Differing decisions to show.")] = 20,
    as_json: Json = False,
) -> None:
    """Let a candidate policy decide and record beside the one in force, and execute nothing. Without FILE: how it compares so far."""
    from evergreen.adapters.policy_file import load_policy
    from evergreen.cli.context import parts
    from evergreen.services.shadow_policy import ShadowPolicy

    policy = ShadowPolicy(parts().store)
    if stop:
        policy.stop()
        typer.echo(json.dumps({"shadow": None}) if as_json else "no policy decides in shadow any more")
        return
    if file is not None:
        candidate = load_policy(file)
        policy.start(candidate)
        typer.echo(json.dumps({"shadow": candidate.hash}) if as_json else f"{file} ({candidate.hash[:12]}) decides in shadow, within two seconds")
        return
    report = policy.report(limit)
    typer.echo(json.dumps(report, ensure_ascii=False) if as_json else "\n".join(_told(report)))


def _told(report: dict[str, Any]) -> list[str]:
    if report["shadow"] is None:
        return ["no policy decides in shadow; start one with `evergreen policy shadow FILE`"]
    lines = [f"{report['shadow'][:12]} decided {report['decisions']} times, {report['agreeing']} times as the one in force"]
    return lines + [f"  {one['at']} {one['model']} {one['event_type']} {one['event']}: would have {', '.join(one['answers'])}" for one in report["differing"]]
