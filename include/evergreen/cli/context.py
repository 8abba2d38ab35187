"""The parts of the home a command acts on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts


def parts() -> Parts:
    """Of the running stack. Raises StackError when none runs."""
    from evergreen.core.errors import StackError
    from evergreen.local_stack.choose import find_home

    found = running_parts()
    if found is None:
        raise StackError(f"no stack runs in {find_home()[0]}: start one with `make up` or `make demo`")
    return found


def running_parts() -> Parts | None:
    """Of the running stack, or of the one whose Postgres the environment names (containers have no supervisor); None when there is none."""
    from evergreen.bootstrap import Parts
    from evergreen.local_stack.choose import find_home, is_running
    from evergreen.settings import load_settings

    home, notice = find_home()
    if not is_running(home):
        named = load_settings(home, with_stack=False)
        return Parts(named) if named.postgres.dsn.get_secret_value() else None
    if notice:
        typer.echo(notice, err=True)
    return Parts(load_settings(home))


def whoever() -> str:
    """The person at this terminal, as records name them."""
    from evergreen.environment import user_name

    return f"cli:{user_name()}"
