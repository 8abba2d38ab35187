"""`evergreen`: one command with everything a person or a script does to a stack. The commands themselves are in this package's other modules."""

from __future__ import annotations

import errno
import logging
import pkgutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import structlog
import typer

from evergreen import cli
from evergreen.core.errors import EvergreenError

DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR})
"""The machine's, not a defect of this product: no space, a read-only disk, somebody else's folder."""

app = typer.Typer(
    name="evergreen",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Keeps models fresh by itself: events on Kafka, decisions that can be replayed, Airflow that carries them out, serving that confirms.",
)


@app.callback()
def _options(
    home: Annotated[
        Path | None, typer.Option(help="The stack's folder; default: EVERGREEN_HOME, else the checkout's running stack.", envvar="EVERGREEN_HOME")
    ] = None,
) -> None:
    if home is not None:
        from evergreen.environment import use_home

        use_home(home)


def register_commands() -> None:
    """Every module of this package that offers `register(app)` or an `app` named as the module. They import what is heavy inside their functions."""
    for found in pkgutil.iter_modules(cli.__path__):
        if found.name == "main":
            continue
        module = import_module(f"{cli.__name__}.{found.name}")
        if register := getattr(module, "register", None):
            register(app)
        elif isinstance(sub := getattr(module, "app", None), typer.Typer):
            app.add_typer(sub, name=found.name)


def main() -> None:
    """A failure this product foresaw is one clear line and its exit code; another one is a defect and shows its traceback."""
    # A command answers on the terminal; what the workers log is not its answer.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING), logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    register_commands()
    try:
        app()
    except EvergreenError as error:
        typer.echo(f"evergreen: {error}", err=True)
        sys.exit(getattr(error, "exit_code", 1))
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        typer.echo(f"evergreen: {error.filename or 'a file'} cannot be written or read: {error.strerror}; `evergreen doctor` looks for the cause", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
