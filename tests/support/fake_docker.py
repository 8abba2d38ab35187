"""A `docker` on the PATH that records how it was called and answers in the form of Compose v2. No engine was at hand to record one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

_SCRIPT = """#!{python}
import json, pathlib, sys
folder = pathlib.Path({folder!r})
state = json.loads((folder / "state.json").read_text())
with (folder / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if state["sleep"]:
    import time
    time.sleep(state["sleep"])
if state["error"]:
    sys.stderr.write(state["error"] + "\\n")
    sys.exit(state["code"])
if "ps" in sys.argv:
    print("\\n".join(json.dumps(one) for one in state["containers"]) if state["lines"] else json.dumps(state["containers"]))
if "up" in sys.argv:
    name, _, number = sys.argv[sys.argv.index("--scale") + 1].partition("=")
    state["containers"] = [
        dict(state["recorded"], Name="evergreen-%s-%d" % (name, at), Service=name) for at in range(1, int(number) + 1)]
    (folder / "state.json").write_text(json.dumps(state))
    sys.stderr.write(" Container evergreen-serving-1  Running\\n")
"""
CONTAINER = {
    "Command": '"python -m serving"',
    "CreatedAt": "2025-05-02 08:11:40 +0000 UTC",
    "ExitCode": 0,
    "Health": "healthy",
    "ID": "c5f0c0a3d2b1",
    "Image": "evergreen/serving:dev",
    "Name": "evergreen-serving-1",
    "Project": "evergreen",
    "Publishers": [],
    "Service": "serving",
    "State": "running",
    "Status": "Up 2 hours (healthy)",
}
"""One line of `docker compose ps --format json`."""


class FakeDocker:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        program = folder / "docker"
        program.write_text(_SCRIPT.format(python=sys.executable, folder=str(folder)))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.defpath}")
        self._state: dict[str, Any] = {"containers": [], "recorded": CONTAINER, "sleep": 0, "error": "", "code": 1, "lines": True}
        self.says(containers=[CONTAINER, CONTAINER | {"Name": "evergreen-serving-2"}])

    def says(self, **changes: Any) -> None:
        self._state |= changes
        (self._folder / "state.json").write_text(json.dumps(self._state))

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self._folder / "calls.jsonl").read_text().splitlines()]
