"""`evergreen demo`: the whole story from nothing, in a home of its own, on real parts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evergreen.cli.batches import Lists, cut, read_lists, with_the_rest
from evergreen.cli.figures import BOOTSTRAP, BREAK, CALM, PROMOTED_BY, QUARTILE_TEST
from evergreen.core.clock import wall_now
from evergreen.core.errors import EvergreenError
from evergreen.environment import CHECKOUT, chosen_home
from evergreen.settings import load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from evergreen.bootstrap import Parts
    from evergreen.services.story import Step, Story

LAST_STORY_DAY = date(2025, 10, 31)
"""Bake and labels of the drills need a few weeks beyond the promotion."""
SEED = 7
_LABELS = {
    "bootstrap": "first champion",
    "drift": "drift",
    "retrain": "retrained",
    "candidate_refused": "challenger refused",
    "promote": "challenger promoted",
    "bad_refused": "bad challenger refused",
    "forced_promote": "bad version forced",
    "rollback": "rolled back",
}


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    data: Annotated[Path | None, typer.Option(help="Folder or file of video lists; without it the simulator plays the same story.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print demo.json instead of the story.")] = False,
    drill: Annotated[str | None, typer.Option(help="`bad-model`: the story with its two drills, which it always plays; named for scripts.")] = None,
) -> None:
    """From nothing to a promoted challenger: start the stack, train on the first months, replay calm weeks and the break of 2025-07-24,
    retrain until a challenger wins, then two drills. Its own home and data (`.evergreen/demo`), reset at each run; the stack stays up.
    Lists of another region: set EVERGREEN_VIDEOS__REGION. Exit code 4: another demo or start of this home is under way."""
    from rich.console import Console

    from evergreen.local_stack.home import Home
    from evergreen.local_stack.lock import demo_lock
    from evergreen.local_stack.ownership import refuse_to_reset

    if drill not in {None, "bad-model"}:
        raise EvergreenError(f"no drill {drill!r}; there is bad-model")
    home = Home(demo_home())
    refuse_to_reset(home)
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    began = wall_now()
    region = load_settings(home.path, with_stack=False).videos.region
    lists = read_story(console, data, region)
    with demo_lock(home):
        parts = _start(console, home.path)
        story, figures = _play(console, parts, lists, region, began)
        report = _report(parts, story, figures, region, (wall_now() - began).total_seconds())
    target = (home.path.parent if home.path == demo_home(named=False) else home.path) / "demo.json"
    target.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    _close(console, parts, report, target)


def demo_home(named: bool = True) -> Path:
    """The home the caller named, else the checkout's for demos."""
    return (chosen_home() if named else None) or CHECKOUT / ".evergreen" / "demo"


def read_story(console: Console, data: Path | None, region: str) -> Lists:
    """Every list of the story's time. Raises EvergreenError where the data does not cover it."""
    import pandas as pd

    if data is None:
        from evergreen.domains.videos.schema import empty_batch
        from evergreen.domains.videos.simulator import simulate

        console.print("data      simulated lists (DATA=folder plays real ones)")
        return Lists(simulate(BOOTSTRAP[0], QUARTILE_TEST[1], seed=SEED, region=region, break_on=BREAK), empty_batch(), ())
    lists = read_lists(data, region, first=BOOTSTRAP[0], last=None, today=wall_now().date(), say=lambda text: console.print(f"data      {text}", markup=False))
    days = lists.rows["list_date"]
    if days.min() > pd.Timestamp(BOOTSTRAP[1]) or days.max() < pd.Timestamp(PROMOTED_BY):
        raise EvergreenError(
            f"{data} does not cover the story ({BOOTSTRAP[0]}…{PROMOTED_BY}) for region {region}: it has {days.min().date()}…{days.max().date()}; "
            "use `evergreen load videos` with `make up` for other days, or leave DATA out for the simulator"
        )
    console.print(f"data      {len(lists.rows)} rows of {data} ({region}, read in place)")
    return lists


def _start(console: Console, home: Path) -> Parts:
    from evergreen.bootstrap import Parts
    from evergreen.local_stack.progress import StartProgress
    from evergreen.local_stack.start import start_anew

    with StartProgress(console) as progress:
        start_anew(home, progress)
    return Parts(load_settings(home))


def _play(console: Console, parts: Parts, lists: Lists, region: str, began: datetime) -> tuple[Story, dict[str, float | None]]:
    from evergreen.adapters.postgres.chronicle import PostgresChronicle
    from evergreen.cli.drills import BadModelDrill
    from evergreen.cli.figures import figures
    from evergreen.cli.playing import replay
    from evergreen.services.play_story import PlayStory
    from evergreen.services.story import Story

    (spec,) = (each for each in parts.specs.values() if f"videos.{region}" in each.datasets)
    chronicle = PostgresChronicle(parts.store)
    story = Story(chronicle, began)
    first_months = cut(lists.rows, *BOOTSTRAP, batch_days=(BOOTSTRAP[1] - BOOTSTRAP[0]).days + 1)
    # What has no day goes with the first months: how many of the weeks are played depends on the story.
    bootstrap, *weeks = with_the_rest([*first_months, *cut(lists.rows, CALM[0], LAST_STORY_DAY, 7, anchor=BREAK)], lists, catch_all=0)
    with replay(parts, region) as driver:
        PlayStory(
            model=spec.name,
            replay=driver,
            story=story,
            chronicle=chronicle,
            carry_out=parts.carry_out,
            drills=BadModelDrill(parts, spec),
            narrate=lambda steps, progress: _narrate(console, steps, progress),
        ).run(bootstrap, weeks, PROMOTED_BY)
    console.print("          figures, by the same services outside Airflow …")
    first = parts.registry.load(spec, 1).predictor
    return story, figures(spec, lists.rows, first)


def _narrate(console: Console, steps: Sequence[Step], progress: str) -> None:
    console.print(f"          {progress}", style="dim", markup=False)
    for step in steps:
        console.print(f"{step.at:%Y-%m-%d %H:%M}  {_LABELS[step.name]:22} {step.cause}  ({step.seconds:.0f} s)", markup=False)


def _report(parts: Parts, story: Story, figures: dict[str, float | None], region: str, total: float) -> dict[str, Any]:
    from evergreen.adapters.postgres.chronicle import PostgresChronicle

    chronicle = PostgresChronicle(parts.store)
    (spec,) = (each for each in parts.specs.values() if f"videos.{region}" in each.datasets)
    latencies = chronicle.latencies()
    return {
        "steps": [step.to_json() for step in story.steps],
        "metrics": figures,
        "first_drift_date": story.first_drift_date,
        "champion_versions": chronicle.champions(spec.name),
        "event_to_decision_p99_ms": _rounded(latencies.event_to_decision_p99_ms),
        "action_to_run_p95_s": _rounded(latencies.action_to_run_p95_s),
        "total_seconds": round(total, 1),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _close(console: Console, parts: Parts, report: dict[str, Any], target: Path) -> None:
    from evergreen.cli.stack import say_where

    metrics = report["metrics"]
    console.print(f"served    {' → '.join(report['champion_versions'])}")
    console.print(
        f"errors    MAE of log10 views: calm {metrics['calm_mae']}, same version after the break {metrics['after_break_mae']}, "
        f"retrained {metrics['retrained_mae']}; top quartile AUC {metrics['top_quartile_auc']}"
    )
    console.print(f"latency   event → decision p99 {report['event_to_decision_p99_ms']} ms; action → run p95 {report['action_to_run_p95_s']} s")
    console.print(f"total     {report['total_seconds']:.0f} s; all of it in {target}")
    say_where(console, parts.settings.home)
