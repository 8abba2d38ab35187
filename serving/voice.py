"""What a worker tells those who deploy: that it lives, what it answers with, what it has prepared or refuses. Each thing once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal
from uuid import UUID

import structlog

from evergreen.core.canary import CanaryTally
from evergreen.core.errors import Unavailable
from evergreen.ports.serving import Beat, ChampionNow, FleetRegistry

State = Literal["starting", "ready", "draining"]
log = structlog.get_logger(__name__)


class Voice:
    def __init__(self, fleet: FleetRegistry, worker_id: str, pid: int, serving: Callable[[], Mapping[str, Mapping[str, int]]]) -> None:
        self._fleet = fleet
        self._worker_id = worker_id
        self._pid = pid
        self._serving = serving
        self._said: set[tuple[str, UUID]] = set()
        self._counted: dict[UUID, CanaryTally] = {}
        """As it was told last."""

    async def beat(self, state: State) -> None:
        try:
            await self._fleet.beat(Beat(self._worker_id, self._pid, state, self._serving()))
        except Unavailable as error:
            log.warning("heartbeat_failed", error=str(error))

    async def serving(self, champion: ChampionNow, state: State) -> None:
        deployment = champion.deployment_id
        if deployment is not None and ("serving", deployment) not in self._said:
            await self.beat(state)  # the row an acknowledgement hangs on, with what it now answers
            await self._fleet.acknowledge_serving(self._worker_id, champion)
            self._said.add(("serving", deployment))

    async def prepared(self, deployment: UUID) -> None:
        if ("prepared", deployment) not in self._said:
            await self._fleet.acknowledge_prepared(self._worker_id, deployment)
            self._said.add(("prepared", deployment))

    async def canary(self, deployment: UUID, tally: CanaryTally) -> None:
        if self._counted.get(deployment) != tally and await self._fleet.report_canary(self._worker_id, deployment, tally):
            self._counted = {deployment: tally}

    async def refused(self, deployment: UUID | None, reason: str) -> None:
        if deployment is not None and ("refused", deployment) not in self._said:
            log.warning("deployment_refused", deployment_id=str(deployment), reason=reason)
            await self._fleet.refuse(self._worker_id, deployment, reason)
            self._said.add(("refused", deployment))
