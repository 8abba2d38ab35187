#!/bin/sh
# Build .venv from the lock, once per lock: `make` calls this only when requirements.txt or pyproject.toml changed. Needs Python 3.11 or 3.12
# and, the first time, a network; nothing else. A set-up that broke off is repeated whole, since its stamp is written last, and an environment
# that cannot install anything is made anew. One at a time: the kernel drops the lock when its holder ends, however it ends.
set -eu

stamp=$1
fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))'

choose_python() {
    for candidate in ${PYTHON:-python3.11 python3.12 python3 python}; do
        if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$fits" >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    found=$(python3 --version 2>/dev/null || echo "no Python")
    echo "Evergreen needs Python 3.11 or 3.12; found ${PYTHON:+$PYTHON, which is not one; }$found." >&2
    echo "Install one (for instance: apt install python3.11 python3.11-venv), or name it: make PYTHON=/path/to/python3.11 setup" >&2
    return 1
}

take_lock='
import fcntl, os, sys
os.makedirs(".evergreen", exist_ok=True)
lock = os.open(".evergreen/set-up.lock", os.O_CREAT | os.O_RDWR, 0o644)
os.set_inheritable(lock, True)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    print("set-up: another one is under way here; waiting for it", file=sys.stderr)
    fcntl.flock(lock, fcntl.LOCK_EX)
os.execve("/bin/sh", ["/bin/sh", *sys.argv[1:]], {**os.environ, "SET_UP_LOCKED": "yes"})'

installs() { # an environment of the right Python with something that installs packages
    .venv/bin/python -c "$fits" >/dev/null 2>&1 && { .venv/bin/uv --version >/dev/null 2>&1 || .venv/bin/python -m pip --version >/dev/null 2>&1; }
}

python=$(choose_python)
if [ -z "${SET_UP_LOCKED:-}" ]; then
    exec "$python" -c "$take_lock" "$0" "$@"
fi
unset SET_UP_LOCKED
if [ -f "$stamp" ]; then
    exit 0 # the one that was under way has done it: the stamp's name is of this lock
fi
if ! installs; then
    echo "set-up: creating .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv || { echo "python -m venv failed: on Debian and Ubuntu install python3.11-venv" >&2; exit 1; }
fi
# A home folder that does not exist or is read-only must not stop the set-up.
if [ -z "${UV_CACHE_DIR:-}" ] && ! mkdir -p "${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}" 2>/dev/null; then
    export UV_CACHE_DIR="$PWD/.venv/cache" PIP_NO_CACHE_DIR=1
fi
echo "set-up: installing the locked requirements"
if ! {
    { .venv/bin/uv --version >/dev/null 2>&1 || .venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv~=0.13.9'; } &&
        .venv/bin/uv pip sync --quiet --python .venv/bin/python requirements.txt &&
        .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --editable .
}; then
    echo "set-up failed. The first one needs a network (or a package mirror that pip and uv are configured for); then run make again." >&2
    exit 1
fi
.venv/bin/evergreen setup
rm -f .venv/set-up-*
touch "$stamp"
