"""Jobs' files: `<home>/data/jobs/<id>/`, one folder each, private to this account. What is being received lies under `.incoming` until it is whole."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from evergreen.core.clock import wall_now
from evergreen.core.errors import TooLarge, Unavailable
from evergreen.core.jobs import JobFormat
from evergreen.ports.jobs import Job

_INCOMING = ".incoming"
_WRITE_BYTES = 2**20
"""Gathered before a thread writes them: a body comes in pieces of 64 KiB."""


class JobFolders:
    def __init__(self, root: Path) -> None:
        self._root = root

    @classmethod
    def of_home(cls, home: Path) -> JobFolders:
        """All serving workers of a home share them."""
        return cls(home / "data" / "jobs")

    def folder(self, job_id: UUID) -> Path:
        return self._root / str(job_id)

    def input(self, job_id: UUID, format: JobFormat) -> Path:
        return self.folder(job_id) / f"input.{format.value}"

    def result(self, job: Job) -> Path:
        return self.folder(job.id) / f"result-{job.token}.{job.output_format.value}"

    async def receive(self, job_id: UUID, format: JobFormat, body: AsyncIterator[bytes], limit: int) -> tuple[int, str]:
        begun = self._root / _INCOMING / str(job_id)
        try:
            await asyncio.to_thread(begun.mkdir, mode=0o700, parents=True)
            said = await _write(begun / f"input.{format.value}", body, limit)
            await asyncio.to_thread(begun.rename, self.folder(job_id))
        except OSError as error:
            raise Unavailable("there is no room for the upload now") from error
        finally:
            await asyncio.to_thread(shutil.rmtree, begun, ignore_errors=True)
        return said

    async def hash_of(self, body: AsyncIterator[bytes], limit: int) -> str:
        digest, size = hashlib.sha256(), 0
        async for piece in body:
            size = _within(size + len(piece), limit)
            digest.update(piece)
        return digest.hexdigest()

    def remove(self, job_id: UUID) -> None:
        shutil.rmtree(self.folder(job_id), ignore_errors=True)

    def strays(self, kept: set[UUID], older_than: timedelta) -> Sequence[UUID]:
        before = (wall_now() - older_than).timestamp()
        for begun in (self._root / _INCOMING).glob("*"):
            if begun.stat().st_mtime < before:
                shutil.rmtree(begun, ignore_errors=True)
        found = [(folder, _id_of(folder.name)) for folder in self._root.glob("*") if folder.is_dir()]
        return [job_id for folder, job_id in found if job_id is not None and job_id not in kept and folder.stat().st_mtime < before]


def _id_of(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def _within(size: int, limit: int) -> int:
    if size > limit:
        raise TooLarge(f"the limit is {limit} bytes")
    return size


async def _write(path: Path, body: AsyncIterator[bytes], limit: int) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    file = await asyncio.to_thread(path.open, "xb", 0)
    try:
        gathered = bytearray()
        async for piece in body:
            size = _within(size + len(piece), limit)
            gathered += piece
            if len(gathered) >= _WRITE_BYTES:
                await asyncio.to_thread(_put, file.fileno(), digest.update, bytes(gathered))
                gathered.clear()
        await asyncio.to_thread(_put, file.fileno(), digest.update, bytes(gathered))
        await asyncio.to_thread(os.fsync, file.fileno())
    finally:
        file.close()
    return size, digest.hexdigest()


def _put(descriptor: int, update: Callable[[bytes], None], content: bytes) -> None:
    """Hashing and writing both let other threads run."""
    update(content)
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
