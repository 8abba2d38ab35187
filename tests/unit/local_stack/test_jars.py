"""Kafka's jars: only whole ones count, whatever happened to an earlier fetch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from evergreen.core.errors import StackError
from evergreen.local_stack import jars
from evergreen.local_stack.jars import broken_jars, jar_folder, kafka_jars, read_lock

WHOLE = {"alpha": b"alpha-bytes", "beta": b"beta-bytes"}


@dataclass
class Repository:
    """A fetcher with a cache that, like the real one, takes any file in it for complete."""

    repo_cache: Path
    answers: Callable[[str, int], bytes]
    fetched: list[str]
    _artifact: str = ""

    def project(self, _group: str, artifact: str) -> Repository:
        self._artifact = artifact
        return Repository(self.repo_cache, self.answers, self.fetched, artifact)

    def at_version(self, _version: str) -> Repository:
        return self

    def artifact(self, packaging: str) -> Repository:
        assert packaging == "jar"
        return self

    def resolve(self) -> Path:
        file = self.repo_cache / "org" / "example" / self._artifact / "1" / f"{self._artifact}-1.jar"
        if not file.exists():
            self.fetched.append(self._artifact)
            content = self.answers(self._artifact, self.fetched.count(self._artifact))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return file


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "kafka.lock"
    lines = [f"{hashlib.sha256(content).hexdigest()} org.example:{name}:1" for name, content in WHOLE.items()]
    file.write_text("# a comment\n" + "\n".join(lines) + "\n")
    return file


def use(monkeypatch: pytest.MonkeyPatch, answers: Callable[[str, int], bytes]) -> list[str]:
    fetched: list[str] = []
    monkeypatch.setattr(jars, "_context", lambda cache: Repository(cache / "maven", answers, fetched))
    return fetched


def test_the_committed_lock_names_the_broker_and_its_log_binding() -> None:
    found = {(jar.group, jar.artifact): jar for jar in read_lock()}
    assert found["org.apache.kafka", "kafka_2.13"].version == found["org.apache.kafka", "kafka-clients"].version == "4.3.1"
    assert ("org.apache.logging.log4j", "log4j-slf4j-impl") in found
    assert all(len(jar.sha256) == 64 for jar in found.values())
    assert len({jar.file_name for jar in found.values()}) == len(found)


def test_a_second_start_fetches_nothing(tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = use(monkeypatch, lambda name, _try: WHOLE[name])
    folder = kafka_jars(tmp_path / "cache", lock)
    assert sorted(file.name for file in folder.glob("*.jar")) == ["alpha-1.jar", "beta-1.jar"]
    assert kafka_jars(tmp_path / "cache", lock) == folder
    assert sorted(fetched) == ["alpha", "beta"]
    assert broken_jars(tmp_path / "cache", lock) == []


def test_a_half_fetched_jar_is_fetched_again(tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = use(monkeypatch, lambda name, attempt: WHOLE[name][:3] if name == "beta" and attempt == 1 else WHOLE[name])
    folder = kafka_jars(tmp_path / "cache", lock)
    assert (folder / "beta-1.jar").read_bytes() == WHOLE["beta"]
    assert fetched.count("beta") == 2


def test_a_fetch_that_broke_off_between_two_runs_is_taken_up(tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "cache" / "maven" / "org" / "example" / "alpha" / "1" / "alpha-1.jar"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"alp")
    use(monkeypatch, lambda name, _try: WHOLE[name])
    assert (kafka_jars(tmp_path / "cache", lock) / "alpha-1.jar").read_bytes() == WHOLE["alpha"]


def test_a_jar_another_one_took_the_place_of_is_refused(tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, lambda _name, _try: b"something else")
    with pytest.raises(StackError, match="checksum differs from the lock"):
        kafka_jars(tmp_path / "cache", lock)
    assert not jar_folder(tmp_path / "cache", lock).exists()


def test_without_a_network_the_error_names_it(tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_name: str, _try: int) -> bytes:
        raise ConnectionError("no route to host")

    use(monkeypatch, away)
    with pytest.raises(StackError, match="needs a network"):
        kafka_jars(tmp_path / "cache", lock)


def test_a_jar_cut_short_later_is_noticed_and_replaced(tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, lambda name, _try: WHOLE[name])
    cut = kafka_jars(tmp_path / "cache", lock) / "beta-1.jar"
    cut.write_bytes(b"beta")
    assert broken_jars(tmp_path / "cache", lock) == ["beta-1.jar"]
    kafka_jars(tmp_path / "cache", lock)
    assert cut.read_bytes() == WHOLE["beta"]
