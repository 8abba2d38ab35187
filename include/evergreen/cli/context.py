"""The parts of the home a command acts on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts


def parts() -> Parts:
    """Of the running stack. Raises StackError when none runs."""
    from evergreen.bootstrap import Parts
    from evergreen.core.errors import StackError
    from evergreen.local_stack.choose import find_home, is_running
    from evergreen.settings import load_settings

    home, notice = find_home()
    if not is_running(home):
        raise StackError(f"no stack runs in {home}: start one with `make up` or `make demo`")
    if notice:
        typer.echo(notice, err=True)
    return Parts(load_settings(home))
