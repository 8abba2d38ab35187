"""From the overview to the stations of the flow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from dashboard.formats import NOTHING, Formats, parsed
from dashboard.parts.flow import Station
from dashboard.words import Words, named
from evergreen.core.clock import wall_now

FRESH = timedelta(seconds=6)
"""What is younger glows: three looks of the page."""


def stations(t: Words, fmt: Formats, found: Mapping[str, Any], places: Collection[str]) -> list[Station]:
    """Left to right. `places`: pages the viewer has."""

    def link(page: str) -> str | None:
        return f"/{page}" if page in places else None

    return [
        _events(t, fmt, found["events"], link("decisions")),
        _decision(t, fmt, found, link("decisions")),
        _actions(t, fmt, found["actions"], link("decisions")),
        _models(t, fmt, found["models"], link("models")),
        _drift(t, fmt, found["models"], link("drift")),
    ]


def _events(t: Words, fmt: Formats, events: Mapping[str, Any] | None, link: str | None) -> Station:
    name = t("home.step.events")
    if events is None:
        return Station(name, NOTHING, link=link)
    minutes: Sequence[int] = events["per_minute"]
    newest = events["newest"][0] if events["newest"] else None
    lines = [t("home.events.unit")] if newest is None else [t("home.events.unit"), named(t, "names.event", newest["type"])]
    says = t("home.events.trend", count=len(minutes), most=fmt.number(max(minutes, default=0)))
    fresh = newest is not None and _is_fresh(newest["received_at"])
    return Station(name, fmt.number(minutes[0] if minutes else 0), lines, link, "busy" if fresh else "", list(reversed(minutes)), says, fresh)


def _decision(t: Words, fmt: Formats, found: Mapping[str, Any], link: str | None) -> Station:
    name, decision = t("home.step.decision"), found["decision"]
    if decision is None:
        return Station(name, NOTHING, [] if "decision" in found["missing"] else [t("home.decision.none")], link)
    answers = [one["action"] for one in decision["answers"]] or ["ignore"]
    main = named(t, "names.action", answers[0])
    lines = [named(t, "names.event", decision["event_type"]), named(t, "names.outcome", decision["outcome"]), fmt.instant(decision["decided_at"], "short")]
    story = None if link is None else f"{link}?event={quote(decision['event_id'], safe='')}"
    tone = "good" if decision["outcome"] == "accepted" else ""
    return Station(name, main, lines, story, tone, fresh=_is_fresh(decision["recorded_at"]))


def _actions(t: Words, fmt: Formats, actions: Mapping[str, Any] | None, link: str | None) -> Station:
    name = t("home.step.actions")
    if actions is None:
        return Station(name, NOTHING, link=link)
    lines = [named(t, "names.action", one["kind"]) for one in actions["first"] if one["status"] != "pending"][:3]
    if actions["pending"]:
        lines.append(t("home.actions.pending", count=fmt.number(actions["pending"])))
    if actions["asking"]:
        lines.append(t("home.actions.asking", count=fmt.number(actions["asking"])))
    busy = actions["running"] > 0
    main = f"{fmt.number(actions['running'])} {t('home.actions.running')}" if busy else t("home.actions.idle")
    return Station(name, main, lines, link, "busy" if busy else "", fresh=busy)


def _models(t: Words, fmt: Formats, models: Sequence[Mapping[str, Any]] | None, link: str | None) -> Station:
    """The first one large, the others as lines."""
    name = t("home.step.models")
    there = [one for one in models or () if one["version"] is not None]
    if not there:
        return Station(name, NOTHING, [] if models is None else [t("home.models.none")], link)
    first, *others = there
    lines = [_standing(t, fmt, first), *(f"{one['version']} · {_standing(t, fmt, one)}" for one in others)]
    served = all(one["workers"] for one in there)
    return Station(name, first["version"], lines, link, "good" if served else "bad")


def _standing(t: Words, fmt: Formats, model: Mapping[str, Any]) -> str:
    workers = t("home.models.workers", count=fmt.number(model["workers"])) if model["workers"] else t("home.models.no_workers")
    return f"{t('home.models.stable' if model['stable'] else 'home.models.baking')}, {workers}"


def _drift(t: Words, fmt: Formats, models: Sequence[Mapping[str, Any]] | None, link: str | None) -> Station:
    """Of the model that was checked last."""
    name = t("home.step.drift")
    checked = sorted((one for one in models or () if one["drift"] is not None), key=lambda one: str(one["drift"]["time"]))
    if not checked:
        return Station(name, NOTHING, [] if models is None else [t("home.drift.none")], link)
    model = checked[-1]
    drift, trend = model["drift"], model["trend"]
    window = f"{fmt.day(drift['first_day'])} – {fmt.day(drift['last_day'])}"
    lines = [t("home.drift.drifted" if drift["drifted"] else "home.drift.calm"), t("home.drift.score", model=model["model"], window=window)]
    says = t("home.drift.trend", most=fmt.number(max(trend, default=0.0), 2))
    return Station(name, fmt.number(drift["score"], 2), lines, link, "bad" if drift["drifted"] else "good", trend, says)


def _is_fresh(at: str) -> bool:
    return wall_now() - parsed(at) < FRESH
