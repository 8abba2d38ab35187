"""Docker Compose behind the `Scaler` port: containers of one service, by the command line of the engine.

The command is a list of arguments, never a shell line. A container that goes is told by SIGTERM, as any worker, and drains within
its `stop_grace_period`. Whoever may call this may start containers: the caller needs the engine's socket, which is the machine's root."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from evergreen.core.errors import InvalidRequest, Unavailable
from evergreen.core.scaling import Bounds
from evergreen.ports.scaler import Scale, bounds_of, checked
from evergreen.settings import ScalerSettings

_THERE = frozenset({"running", "created", "restarting", "paused"})
"""States of a container that counts; the others have ended."""


class ComposeScaler:
    def __init__(self, settings: ScalerSettings, scaled: Mapping[str, Bounds]) -> None:
        self._settings = settings
        self._scaled = scaled

    def current(self, service: str) -> Scale:
        bounds = bounds_of(service, self._scaled)
        containers = [one for one in self._containers() if one.get("State") in _THERE]
        # Compose keeps no wish: what is there is what was asked for last. A container without a health check has none to fail.
        running = sum(one.get("State") == "running" and one.get("Health", "") in ("", "healthy") for one in containers)
        return Scale(running, len(containers), bounds.minimum, bounds.maximum)

    def set(self, service: str, number: int) -> None:
        checked(service, number, self._scaled)
        name = self._settings.compose_service
        self._run("up", "--detach", "--no-deps", "--no-recreate", "--no-build", "--scale", f"{name}={number}", name)

    def _containers(self) -> list[Mapping[str, Any]]:
        """One JSON object a line; versions before 2.21 print one array instead."""
        found: list[Any] = []
        for line in self._run("ps", "--all", "--format", "json", self._settings.compose_service).splitlines():
            try:
                parsed = json.loads(line or "[]")
            except ValueError:
                parsed = line
            found += parsed if isinstance(parsed, list) else [parsed]
        if strange := [one for one in found if not isinstance(one, dict)]:
            raise Unavailable(f"docker compose ps does not print containers as JSON but {str(strange[0])[:200]!r}")
        return found

    def _run(self, *arguments: str) -> str:
        command = ["docker", "compose", "--file", str(self._settings.compose_file), *arguments]
        seconds = self._settings.timeout_seconds
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"docker compose {arguments[0]} did not end within {seconds:.0f} s") from error
        except OSError as error:
            raise Unavailable(f"docker cannot be run: {error}; EVERGREEN_SCALER__KIND=compose needs the Docker CLI and its socket") from error
        if done.returncode == 0:
            return done.stdout
        said = (done.stderr.strip().splitlines() or ["no word why"])[-1][:300]
        if "no such service" in said:
            raise InvalidRequest(f"docker compose: {said}; EVERGREEN_SCALER__COMPOSE_SERVICE names what is scaled in {self._settings.compose_file}")
        raise Unavailable(f"docker compose {arguments[0]} ended with {done.returncode}: {said}")
