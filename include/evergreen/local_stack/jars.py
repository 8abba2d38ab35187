"""Kafka's jars, fetched by their coordinates and verified against the committed lock.

Guarantee: the folder `kafka_jars` returns holds exactly the locked files. Failure: a fetch that breaks off leaves a half file that the
fetcher later takes for complete. Remedy: every file is hashed before it counts; one that differs is removed, from the fetcher's cache too,
and fetched again; the folder gets its name only when it is whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from evergreen.core.errors import StackError
from evergreen.environment import CHECKOUT

LOCK = CHECKOUT / "deploy" / "local" / "kafka.lock"
TREES = ("org.apache.kafka:kafka_2.13:4.3.1", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4")
"""Resolved one by one: resolved together, the second one's managed versions would downgrade the first one's libraries."""
ATTEMPTS = 3
PARALLEL = 8
TIMEOUT_SECONDS = 60
REACH_SECONDS = 5

Progress = Callable[[str], None]


@dataclass(frozen=True)
class LockedJar:
    sha256: str
    group: str
    artifact: str
    version: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    def is_whole(self, file: Path) -> bool:
        return file.is_file() and _sha256(file) == self.sha256


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_lock(lock: Path = LOCK) -> list[LockedJar]:
    """Lines `SHA256 GROUP:ARTIFACT:VERSION`, sorted by coordinate; `#` starts a comment."""
    entries = [line.split() for line in lock.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return [LockedJar(sha256, *coordinate.split(":")) for sha256, coordinate in entries]


def jar_folder(cache: Path, lock: Path = LOCK) -> Path:
    return cache / "kafka" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]


def kafka_jars(cache: Path, lock: Path = LOCK, progress: Progress | None = None) -> Path:
    """The folder with every locked jar; fetched on the first call, verified by name and size afterwards. Raises `StackError`."""
    folder = jar_folder(cache, lock)
    jars = read_lock(lock)
    if _is_complete(folder, jars):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "fetch.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # two homes share the cache: the second one finds the first one's work
        if not _is_complete(folder, jars):
            if progress:
                progress(f"fetching Kafka ({len(jars)} jars)")
            _fetch_all(cache, folder, jars)
    return folder


def _fetch_all(cache: Path, folder: Path, jars: list[LockedJar]) -> None:
    partial_folder = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial_folder, ignore_errors=True)
    partial_folder.mkdir(parents=True)
    context = _context(cache)
    with ThreadPoolExecutor(PARALLEL) as pool:
        for jar, file in zip(jars, pool.map(partial(_fetch, context), jars), strict=True):
            shutil.copyfile(file, partial_folder / jar.file_name)
    _write_sizes(partial_folder)
    shutil.rmtree(folder, ignore_errors=True)
    partial_folder.rename(folder)
    shutil.rmtree(context.repo_cache, ignore_errors=True)


def broken_jars(cache: Path, lock: Path = LOCK) -> list[str]:
    """Names of locked jars that are absent or differ; empty when all are whole. Hashes every file."""
    folder = jar_folder(cache, lock)
    return [jar.file_name for jar in read_lock(lock) if not jar.is_whole(folder / jar.file_name)]


def can_reach_repository() -> bool:
    """Whether any of the fetcher's repositories answers at all."""
    import requests

    for url in _context(Path()).remote_repos.values():
        try:
            requests.head(url, timeout=REACH_SECONDS)
        except requests.RequestException:
            continue
        return True
    return False


def _write_sizes(folder: Path) -> None:
    (folder / "SIZES").write_text("".join(f"{file.stat().st_size} {file.name}\n" for file in sorted(folder.glob("*.jar"))))


def _is_complete(folder: Path, jars: list[LockedJar]) -> bool:
    """A cheap look for each start: the sizes noted when every hash was right."""
    sizes = folder / "SIZES"
    if not sizes.is_file():
        return False
    noted = {name: int(size) for size, _, name in (line.partition(" ") for line in sizes.read_text().splitlines())}
    return all((file := folder / jar.file_name).is_file() and file.stat().st_size == noted.get(jar.file_name) for jar in jars)


def _context(cache: Path) -> Any:
    """The fetcher, with its cache inside ours and whatever repositories the user's jgo configuration names."""
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    repositories = GlobalSettings.load().repositories or None
    return MavenContext(repo_cache=cache / "maven", remote_repos=repositories, timeout=TIMEOUT_SECONDS)


def _fetch(context: Any, jar: LockedJar) -> Path:
    import requests

    cause = ""
    for _ in range(ATTEMPTS):
        try:
            file = Path(context.project(jar.group, jar.artifact).at_version(jar.version).artifact(packaging="jar").resolve())
        except (requests.RequestException, RuntimeError, OSError, AssertionError) as error:
            cause = f"{type(error).__name__}: {error}"
        else:
            if jar.is_whole(file):
                return file
            cause = "its checksum differs from the lock"
        shutil.rmtree(context.repo_cache.joinpath(*jar.group.split("."), jar.artifact), ignore_errors=True)
    raise StackError(f"cannot fetch {jar.file_name} for Kafka ({cause}). The first start needs a network; check proxy and mirror settings, then run it again")


def write_lock(cache: Path, lock: Path = LOCK) -> None:
    """Resolve the trees anew and write what they are: for whoever raises Kafka's version."""
    context = _context(cache)
    lines = set()
    for tree in TREES:
        inputs, dependencies = context.resolver.resolve([context.create_dependency(tree)])
        for item in inputs + dependencies:
            newest = item.artifact
            lines.add((f"{newest.groupId}:{newest.artifactId}:{newest.version}", _sha256(Path(newest.resolve()))))
    body = "".join(f"{sha256} {coordinate}\n" for coordinate, sha256 in sorted(lines))
    lock.write_text("# Kafka's jars: SHA-256 and coordinate. Written by `python -m evergreen.local_stack.jars`.\n" + body)


if __name__ == "__main__":
    from evergreen.settings import load_settings

    write_lock(load_settings().cache)
