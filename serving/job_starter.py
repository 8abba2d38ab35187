"""Starts a runner whenever a prediction job waits: a child process, at most one per worker. This process only looks and waits.

Guarantee: no work of a job happens here. Failure: a runner is killed. Remedy: what it held may be claimed at once by any worker's next
runner. Failure: this worker is killed. Remedy: the kernel kills its runner, whose lease runs out. Told to end, the runner finishes its
chunk and gives the job back."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress

import structlog

from evergreen.core.errors import Unavailable
from evergreen.ports.jobs import JobDesk

STOP_SECONDS = 3.0
_AFTER_FAILURE_SECONDS = 5.0
_NOTHING_TO_DO = 3
log = structlog.get_logger(__name__)


class JobStarter:
    def __init__(self, desk: JobDesk, *, most: int, poll_seconds: float) -> None:
        self._desk = desk
        self._most = most
        self._poll = poll_seconds
        self._poked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._runner: Process | None = None

    @property
    def pid(self) -> int | None:
        """Of the runner at work."""
        return None if self._runner is None else self._runner.pid

    def poke(self) -> None:
        """A job has just come."""
        self._poked.set()

    def start(self) -> None:
        if self._most > 0:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        runner = self._runner
        if runner is not None and runner.returncode is None:
            runner.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await runner.wait()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if runner is not None and runner.returncode is None:
            runner.kill()
            await runner.wait()

    async def _run(self) -> None:
        while True:
            self._poked.clear()
            rest = self._poll
            try:
                if await self._desk.claimable(self._most):
                    rest = 0.0 if await self._work() else _AFTER_FAILURE_SECONDS
            except (Unavailable, OSError) as error:
                log.warning("job_not_started", error=str(error))
                rest = _AFTER_FAILURE_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._poked.wait()

    async def _work(self) -> bool:
        """One runner to its end; False when that was not a good one."""
        name = f"{os.getpid()}:{secrets.token_hex(6)}"
        command = (sys.executable, "-m", "evergreen.workers.job_runner", "--name", name, "--parent", str(os.getpid()))
        self._runner = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL)
        status = await self._runner.wait()
        self._runner = None
        if status not in (0, _NOTHING_TO_DO):
            log.warning("job_runner_died", status=status)
            await self._desk.left_by(name)
        return status == 0
