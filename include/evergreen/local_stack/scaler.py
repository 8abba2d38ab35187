"""The local stack behind the `Scaler` port: processes of the supervisor's group, as many as the home's manifest wants.

Guarantee: the number survives a killed worker, a killed supervisor (its guardian reads the manifest) and `evergreen up`; a new start of the
stack begins with the minimum. A stopped worker drains before it ends (`serving.worker`), the highest number first. Failure: the caller dies
half-way. Remedy: the wish is in the manifest before the first process is touched; the same call again, or `evergreen up`, does the rest."""

from __future__ import annotations

from collections.abc import Mapping

from evergreen.core.errors import InvalidRequest, StackError, Unavailable
from evergreen.core.scaling import Bounds
from evergreen.local_stack.home import Home
from evergreen.local_stack.processes import await_true
from evergreen.local_stack.supervision import Supervisor
from evergreen.local_stack.wanted import converge, want, wanted_processes
from evergreen.ports.scaler import Scale, bounds_of, checked

DRAIN_SECONDS = 45.0
"""The supervisor kills what has not ended 30 s after it was told to."""


class LocalScaler:
    def __init__(self, home: Home, scaled: Mapping[str, Bounds]) -> None:
        self._home = home
        self._scaled = scaled

    def current(self, service: str) -> Scale:
        bounds = bounds_of(service, self._scaled)
        try:
            wanted = wanted_processes(self._home)
            states = [process.state for process in Supervisor(self._home).processes() if process.group == service]
        except StackError as error:
            raise Unavailable(str(error)) from error
        if service not in wanted:
            raise InvalidRequest(f"{service} is not part of the stack in {self._home.path}; it has {', '.join(sorted(wanted))}")
        return Scale(states.count("RUNNING"), wanted[service], bounds.minimum, bounds.maximum)

    def set(self, service: str, number: int) -> None:
        """As the port says; surplus workers have drained and ended when it returns."""
        checked(service, number, self._scaled)
        self.current(service)
        try:
            self._refuse_more_than_there_are(service, number)
            want(self._home, service, number)
            settled = await_true(lambda: converge(self._home, part=service), DRAIN_SECONDS)
        except StackError as error:
            raise Unavailable(str(error)) from error
        if not settled:
            raise Unavailable(f"{service} is not at {number} workers after {DRAIN_SECONDS:.0f} s; `evergreen status` and `evergreen logs {service}` show why")

    def _refuse_more_than_there_are(self, service: str, number: int) -> None:
        """A stack that was started with a smaller maximum has no place for more."""
        places = sum(process.group == service for process in Supervisor(self._home).processes())
        if number > places:
            raise InvalidRequest(f"this stack was started with at most {places} workers of {service}; start it anew to have {number}")
