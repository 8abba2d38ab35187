"""The policy in force, and back-tests of other numbers, for the routes.

Guarantee: a back-test runs in a process of its own, one at a time of all workers together, for a bounded time, so that no prediction waits for
it. Failure: it takes too long, or dies. Remedy: it is ended; asking for fewer days, or again later, helps."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import structlog

from evergreen.contracts.api_policy import BacktestAnswer, BacktestRequest, PolicySaid
from evergreen.core.errors import InvalidRequest, TooMany, Unavailable
from evergreen.services.running_policy import ActivePolicy
from evergreen.services.show_policy import said_of
from serving.own_store import OwnStore

SECONDS = 30.0
WAIT_SECONDS = 10.0
BUSY = "a back-test is at work already; ask again when it is done"
log = structlog.get_logger(__name__)


class PolicyDesk:
    def __init__(self, stores: OwnStore, file: Path) -> None:
        self._stores = stores
        self._file = file
        self._turn = asyncio.Lock()

    async def show(self) -> PolicySaid:
        """Raises Unavailable."""
        from evergreen.adapters.policy_file import PolicyFile

        policy = await self._stores.use(lambda store: ActivePolicy(store, PolicyFile(self._file)).current())
        return PolicySaid.model_validate(said_of(policy))

    async def backtest(self, asked: BacktestRequest) -> BacktestAnswer:
        """Raises InvalidRequest, TooMany, Unavailable."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._turn.acquire()
        except TimeoutError as error:
            raise TooMany(BUSY) from error
        try:
            return await self._run(asked)
        finally:
            self._turn.release()

    async def _run(self, asked: BacktestRequest) -> BacktestAnswer:
        command = (sys.executable, "-m", "evergreen.workers.backtest_runner", "--parent", str(os.getpid()))
        child = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        try:
            async with asyncio.timeout(SECONDS):
                told, _ = await child.communicate(asked.model_dump_json().encode())
        except TimeoutError as error:
            raise InvalidRequest(f"this took longer than {SECONDS:.0f} s: look at fewer days") from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode != 0:
            log.warning("backtest_died", status=child.returncode)
            raise Unavailable("the back-test ended without an answer; ask again")
        said = json.loads(told)
        if "busy" in said:
            raise TooMany(BUSY)
        if "refused" in said:
            raise InvalidRequest(said["refused"])
        return BacktestAnswer.model_validate(said["found"])
