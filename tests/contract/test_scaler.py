"""One behaviour, every scaler: the twin, Kubernetes and Compose against recorded calls. The local stack's runs in tests/integration/test_scaling.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evergreen.adapters.compose_scaler import ComposeScaler
from evergreen.adapters.kubernetes_scaler import KubernetesScaler
from evergreen.adapters.memory.scaler import MemoryScaler
from evergreen.core.errors import InvalidRequest
from evergreen.core.scaling import Bounds
from evergreen.ports.scaler import Scale, Scaler
from evergreen.settings import ScalerSettings
from tests.support.fake_docker import FakeDocker
from tests.support.kubernetes_twin import api_server

SCALED = {"serving": Bounds(2, 4)}


@pytest.fixture(params=["memory", "kubernetes", "compose"])
def scaler(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scaler]:
    if request.param == "kubernetes":
        with api_server(tmp_path) as server:
            yield KubernetesScaler(ScalerSettings(api_url=server.url, service_account=server.account), SCALED)
    elif request.param == "compose":
        FakeDocker(tmp_path, monkeypatch)
        yield ComposeScaler(ScalerSettings(compose_file=tmp_path / "docker-compose.yml"), SCALED)
    else:
        yield MemoryScaler(SCALED)


def test_it_says_how_many_run_and_how_many_may(scaler: Scaler) -> None:
    assert scaler.current("serving") == Scale(running=2, wanted=2, minimum=2, maximum=4)


def test_a_number_is_set_and_setting_it_again_changes_nothing(scaler: Scaler) -> None:
    scaler.set("serving", 4)
    assert scaler.current("serving") == Scale(4, 4, 2, 4)
    scaler.set("serving", 4)
    assert scaler.current("serving") == Scale(4, 4, 2, 4)
    scaler.set("serving", 3)
    assert scaler.current("serving") == Scale(3, 3, 2, 4)


@pytest.mark.parametrize("number", [1, 5, 0, -1])
def test_a_number_outside_the_bounds_is_refused_with_the_bounds(scaler: Scaler, number: int) -> None:
    with pytest.raises(InvalidRequest, match=r"serving takes 2 to 4 workers, not -?\d; .*EVERGREEN_SERVING__MIN_WORKERS"):
        scaler.set("serving", number)
    assert scaler.current("serving").wanted == 2


def test_an_unknown_service_is_refused_with_those_that_can_be_scaled(scaler: Scaler) -> None:
    with pytest.raises(InvalidRequest, match="'kafka' cannot be scaled; what can be: serving"):
        scaler.current("kafka")
    with pytest.raises(InvalidRequest, match="what can be: serving"):
        scaler.set("kafka", 2)
