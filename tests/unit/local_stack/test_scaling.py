"""Which scaler a home uses, and what its settings may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from evergreen.adapters.compose_scaler import ComposeScaler
from evergreen.adapters.kubernetes_scaler import KubernetesScaler
from evergreen.core.errors import InvalidRequest, Unavailable
from evergreen.core.scaling import Bounds
from evergreen.local_stack.scaler import LocalScaler
from evergreen.local_stack.scaling import NoScaler, scaled_services, scaler
from evergreen.settings import load_settings


@pytest.mark.parametrize(("kind", "found"), [("local", LocalScaler), ("kubernetes", KubernetesScaler), ("compose", ComposeScaler), ("none", NoScaler)])
def test_the_setting_chooses(kind: str, found: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_SCALER__KIND", kind)
    assert type(scaler(load_settings(tmp_path))) is found


@pytest.mark.parametrize(("kind", "others"), [("local", {"recommender": Bounds(1, 3)}), ("kubernetes", {}), ("compose", {})])
def test_the_bounds_are_the_settings(kind: str, others: dict[str, Bounds], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_SERVING__MAX_WORKERS", "8")
    monkeypatch.setenv("EVERGREEN_SCALER__KIND", kind)
    assert scaled_services(load_settings(tmp_path)) == {"serving": Bounds(2, 8), **others}


def test_where_nothing_scales_every_call_says_so_and_an_unknown_service_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_SCALER__KIND", "none")
    found = scaler(load_settings(tmp_path))
    with pytest.raises(InvalidRequest, match="nothing here starts or stops workers of serving; EVERGREEN_SCALER__KIND"):
        found.set("serving", 3)
    with pytest.raises(InvalidRequest, match="'kafka' cannot be scaled"):
        found.current("kafka")


def test_a_home_without_a_stack_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no stack runs"):
        scaler(load_settings(tmp_path)).current("serving")


def test_a_minimum_above_the_maximum_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_SERVING__MIN_WORKERS", "5")
    with pytest.raises(ValueError, match=r"MIN_WORKERS=5 is more than EVERGREEN_SERVING__MAX_WORKERS=4"):
        load_settings(tmp_path)
