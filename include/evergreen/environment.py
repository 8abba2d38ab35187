"""The process's environment: which home it acts on, what its children inherit. The only reader and writer of `os.environ`; light to import."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder with dags/, policies/ and requirements.txt: code finds its data files from here, never from the working directory."""


def stack_env_file(home: Path) -> Path:
    """Where a running stack writes its endpoints and secrets (mode 0600) for every process of this home."""
    return home / "run" / "stack.env"


def models_folder(home: Path) -> Path:
    """A folder with a `spec.toml` for each model that is declared, not programmed."""
    return home / "models"


def chosen_home() -> Path | None:
    """The home the caller named by `EVERGREEN_HOME`, or None."""
    named = os.environ.get("EVERGREEN_HOME")
    return Path(named).resolve() if named else None


def use_home(home: Path) -> None:
    """Make `home` the one every later `load_settings` of this process and of its children acts on (the command line's `--home`)."""
    os.environ["EVERGREEN_HOME"] = str(home.resolve())


def service_name(default: str) -> str:
    """How the supervisor calls this process, e.g. `serving-01`."""
    return os.environ.get("EVERGREEN_SERVICE", default)


def share_metrics(folder: Path) -> None:
    """Let the processes of one service add up their Prometheus metrics in `folder`. Before prometheus_client is imported: it decides then."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def use_one_thread() -> None:
    """Numeric libraries compute with one thread unless told otherwise: a request's arithmetic is too small to share. Before they are imported."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def user_name() -> str:
    """Who runs this process. A uid without an account (a container's) has no name: some parts cannot do without one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError since Python 3.13
        return "evergreen"


PASSED_ON = ("LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "COVERAGE_PROCESS_START")
"""What a part of the stack inherits from the shell that started it; nothing else, so that a start depends on the home alone."""


def child_environment(home: Path) -> dict[str, str]:
    """The environment every part of the stack starts from: the home, this environment's programs, time in UTC, no usage data sent."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return kept | {
        "EVERGREEN_HOME": str(home),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(home / "data" / "home"),
        "USER": (user := user_name()),
        "LOGNAME": user,
        "TZ": "UTC",
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "SPT_NOENV": "1",  # a process that renames itself keeps its environment readable: that is how its home is known
    }


def given_settings() -> dict[str, str]:
    """Every `EVERGREEN_…` variable the caller set: a stack keeps them for all its processes."""
    return {name: value for name, value in os.environ.items() if name.startswith("EVERGREEN_") and name not in {"EVERGREEN_HOME", "EVERGREEN_SERVICE"}}
