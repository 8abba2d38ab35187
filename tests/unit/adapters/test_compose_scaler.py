"""Against a recording `docker`."""

from __future__ import annotations

from pathlib import Path

import pytest

from evergreen.adapters.compose_scaler import ComposeScaler
from evergreen.core.errors import InvalidRequest, Unavailable
from evergreen.core.scaling import Bounds
from evergreen.ports.scaler import Scale
from evergreen.settings import ScalerSettings
from tests.support.fake_docker import CONTAINER, FakeDocker


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    return FakeDocker(tmp_path, monkeypatch)


def scaler(timeout_seconds: float = 20.0, service: str = "serving") -> ComposeScaler:
    settings = ScalerSettings(compose_file=Path("/srv/a b/docker-compose.yml"), compose_service=service, timeout_seconds=timeout_seconds)
    return ComposeScaler(settings, {"serving": Bounds(2, 4)})


def test_a_number_is_one_call_that_touches_nothing_else(docker: FakeDocker) -> None:
    scaler().set("serving", 4)
    prefix = ["compose", "--file", "/srv/a b/docker-compose.yml"]
    assert docker.calls() == [[*prefix, "up", "--detach", "--no-deps", "--no-recreate", "--no-build", "--scale", "serving=4", "serving"]]


def test_a_name_with_a_space_stays_one_argument_and_no_shell_sees_it(docker: FakeDocker) -> None:
    scaler(service="x; touch y").set("serving", 3)
    assert docker.calls()[0][-2:] == ["x; touch y=3", "x; touch y"]


def test_containers_that_start_are_wanted_and_those_that_ended_are_not_there(docker: FakeDocker) -> None:
    starting = CONTAINER | {"Health": "starting"}
    ended = CONTAINER | {"State": "exited", "Health": "", "ExitCode": 0}
    without_a_check = CONTAINER | {"Health": ""}
    docker.says(containers=[CONTAINER, starting, without_a_check, ended])
    assert scaler().current("serving") == Scale(running=2, wanted=3, minimum=2, maximum=4)


@pytest.mark.parametrize("lines", [True, False], ids=["one-a-line", "one-array"])
def test_both_ways_compose_prints_json_are_read(docker: FakeDocker, lines: bool) -> None:
    docker.says(lines=lines)
    assert scaler().current("serving").running == 2
    docker.says(containers=[])
    assert scaler().current("serving") == Scale(0, 0, 2, 4)


@pytest.mark.parametrize(
    ("said", "error", "match"),
    [
        pytest.param("no such service: serving", InvalidRequest, "no such service: serving; EVERGREEN_SCALER__COMPOSE_SERVICE", id="unknown-service"),
        pytest.param("permission denied while trying to connect to the Docker daemon socket", Unavailable, "permission denied", id="no-right"),
        pytest.param(" Container x\nBind for 127.0.0.1:8000 failed: port is already allocated", Unavailable, "port is already allocated", id="port-taken"),
    ],
)
def test_what_docker_refuses_is_told_in_its_words(docker: FakeDocker, said: str, error: type[Exception], match: str) -> None:
    docker.says(error=said)
    with pytest.raises(error, match=match):
        scaler().set("serving", 4)


def test_a_docker_that_hangs_is_waited_for_so_long_and_no_longer(docker: FakeDocker) -> None:
    docker.says(sleep=30)
    with pytest.raises(Unavailable, match="docker compose up did not end within"):
        scaler(timeout_seconds=0.3).set("serving", 4)


def test_without_docker_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="needs the Docker CLI and its socket"):
        scaler().current("serving")


def test_what_is_no_container_is_not_taken_for_one(docker: FakeDocker) -> None:
    docker.says(containers=["surprise"])
    with pytest.raises(Unavailable, match="does not print containers as JSON but 'surprise'"):
        scaler().current("serving")
