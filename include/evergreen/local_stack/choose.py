"""Which home a command acts on."""

from __future__ import annotations

from pathlib import Path

from evergreen.environment import CHECKOUT, chosen_home
from evergreen.local_stack.home import Home
from evergreen.local_stack.processes import recorded


def is_running(home: Path) -> bool:
    """Whether a supervisor runs in this home."""
    return recorded(Home(home).pid_file("supervisor")) is not None


def default_homes() -> list[Path]:
    """The checkout's two homes: `make up`'s, then the demo's."""
    return [CHECKOUT / ".evergreen", CHECKOUT / ".evergreen" / "demo"]


def find_home() -> tuple[Path, str]:
    """The home a command acts on, and a notice for the user (empty where the choice needs no word).

    Named by the caller, else the checkout's running stack; with two running, `make up`'s."""
    named = chosen_home()
    if named is not None:
        return named, ""
    running = [home for home in default_homes() if is_running(home)]
    if len(running) == 2:
        return running[0], f"two stacks run: acting on {running[0]}; for the demo's use --home {running[1]}"
    return (running[0] if running else default_homes()[0]), ""
