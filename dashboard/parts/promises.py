"""The operational promises as cards: goal, what was measured, whether it holds, and what is left of the error budget."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from dashboard.formats import NOTHING, Formats
from dashboard.words import Words

STYLE = """<style>
.eg-promises {display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .9rem; margin: .25rem 0 1rem}
.eg-promise {display: block; color: inherit !important; text-decoration: none !important}
.eg-promise {border: 1px solid color-mix(in srgb, currentColor 18%, transparent); border-radius: .8rem; padding: .8rem 1rem}
.eg-promise header {display: flex; justify-content: space-between; gap: .5rem; align-items: baseline; font-weight: 600}
.eg-promise strong {display: block; font-size: 1.6rem; line-height: 1.3}
.eg-promise small {display: block; opacity: .8}
.eg-state {border-radius: 1rem; padding: .05rem .6rem; font-size: .8rem; border: 1px solid color-mix(in srgb, currentColor 30%, transparent)}
.eg-state.kept {background: #12724d; border-color: #12724d; color: #fff}
.eg-state.broken {background: #b3312a; border-color: #b3312a; color: #fff}
.eg-meter {height: .45rem; border-radius: .3rem; background: color-mix(in srgb, currentColor 14%, transparent); margin: .5rem 0 .2rem; overflow: hidden}
.eg-meter i {display: block; height: 100%; background: #2f9e6b}
.eg-meter i.low {background: #d9822b}
</style>"""


def promises(t: Words, fmt: Formats, found: list[dict[str, Any]]) -> str:
    return '<div class="eg-promises">' + "".join(_card(t, fmt, one) for one in found) + "</div>"


def _card(t: Words, fmt: Formats, one: Mapping[str, Any]) -> str:
    name, state = one["name"], one["state"]
    timed = name == "event_handling"
    goal = (
        t("home.promises.goal_event_handling", goal=fmt.number(one["goal"]))
        if timed
        else t("home.promises.goal_share", goal=fmt.share(one["goal"], 0 if one["goal"] < 0.99 else 1))
    )
    value = _value(fmt, one)
    over = t("home.promises.unmeasured") if state == "unmeasured" else t(f"home.promises.over_{name}", n=fmt.number(one["n"]))
    said = f"<header><span>{escape(t(f'home.promises.{name}'))}</span>{_state(t, state)}</header>"
    said += f"<strong>{escape(value)}</strong><small>{escape(goal)}</small><small>{escape(over)}</small>{_budget(t, fmt, one['budget_left'])}"
    return f'<a class="eg-promise" href="/system" target="_self">{said}</a>'


def _value(fmt: Formats, one: Mapping[str, Any]) -> str:
    value = one["value"]
    if value is None:
        return NOTHING
    return fmt.milliseconds(value) if one["name"] == "event_handling" else fmt.share(value, 2)


def _state(t: Words, state: str) -> str:
    return "" if state == "unmeasured" else f'<span class="eg-state {escape(state)}">{escape(t(f"home.promises.{state}"))}</span>'


def _budget(t: Words, fmt: Formats, left: float | None) -> str:
    if left is None:
        return ""
    says = t("home.promises.budget", share=fmt.share(left, 0)) if left > 0 else t("home.promises.overspent")
    width = round(100 * min(max(left, 0), 1))
    return f'<div class="eg-meter" aria-hidden="true"><i class="{"low" if left < 0.25 else ""}" style="width: {width}%"></i></div><small>{escape(says)}</small>'
