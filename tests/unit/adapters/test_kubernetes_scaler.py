"""Against the API server's recorded answers, refusals included."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from evergreen.adapters import kubernetes_scaler
from evergreen.adapters.kubernetes_scaler import CONFLICTS, KubernetesScaler
from evergreen.core.errors import EvergreenError, InvalidRequest, Unavailable
from evergreen.core.scaling import Bounds
from evergreen.ports.scaler import Scale
from evergreen.settings import ScalerSettings
from tests.support.kubernetes_twin import CONFLICT, FORBIDDEN, NOT_FOUND, OVERLOADED, TOKEN, ApiServer, api_server, certificate


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    monkeypatch.setattr(kubernetes_scaler, "_AGAIN_SECONDS", 0.001)
    with api_server(tmp_path) as found:
        yield found


def scaler(server: ApiServer, **settings: object) -> KubernetesScaler:
    given = ScalerSettings.model_validate({"api_url": server.url, "service_account": server.account, **settings})
    return KubernetesScaler(given, {"serving": Bounds(2, 4)})


def test_a_number_is_one_patch_of_the_scale_subresource(server: ApiServer) -> None:
    scaler(server).set("serving", 4)
    (call,) = server.calls
    assert (call.method, call.path) == ("PATCH", "/apis/apps/v1/namespaces/mlops/deployments/serving/scale")
    assert call.body == {"spec": {"replicas": 4}}
    assert (call.headers["authorization"], call.headers["content-type"]) == (f"Bearer {TOKEN}", "application/merge-patch+json")


def test_pods_that_are_not_ready_do_not_run(server: ApiServer) -> None:
    server.deployment["spec"]["replicas"] = 4
    del server.deployment["status"]["readyReplicas"]  # as the API server says zero
    assert scaler(server).current("serving") == Scale(running=0, wanted=4, minimum=2, maximum=4)


def test_namespace_and_deployment_of_the_settings_go_into_the_path_as_they_are(server: ApiServer) -> None:
    with pytest.raises(InvalidRequest):
        scaler(server, namespace="other/../mlops", deployment="web").set("serving", 4)
    assert server.calls[-1].path == "/apis/apps/v1/namespaces/other%2F..%2Fmlops/deployments/web/scale"


def test_a_conflict_is_tried_again(server: ApiServer) -> None:
    server.refusals = [CONFLICT, CONFLICT]
    scaler(server).set("serving", 3)
    assert [call.method for call in server.calls] == ["PATCH"] * 3
    assert server.deployment["spec"]["replicas"] == 3


def test_conflict_upon_conflict_is_given_up_for_now(server: ApiServer) -> None:
    server.refusals = [CONFLICT] * CONFLICTS
    with pytest.raises(Unavailable, match=f"the object has been modified.*{CONFLICTS} times in a row"):
        scaler(server).set("serving", 3)
    assert len(server.calls) == CONFLICTS


def test_a_missing_right_is_named_with_the_rights_it_takes(server: ApiServer) -> None:
    server.refusals = [FORBIDDEN]
    with pytest.raises(Unavailable, match=r'403 .*cannot patch resource "deployments/scale".*needs get on deployments and patch on deployments/scale'):
        scaler(server).set("serving", 4)


def test_a_deployment_that_is_not_there_is_named_with_the_settings(server: ApiServer) -> None:
    server.refusals = [NOT_FOUND]
    with pytest.raises(InvalidRequest, match=r'deployments.apps "serving" not found; EVERGREEN_SCALER__NAMESPACE and __DEPLOYMENT'):
        scaler(server).current("serving")


@pytest.mark.parametrize("refusal", [OVERLOADED, (500, {"kind": "Status"}), (503, {})], ids=["429", "500", "503"])
def test_an_api_server_in_trouble_is_tried_later(server: ApiServer, refusal: tuple[int, dict[str, object]]) -> None:
    server.refusals = [refusal]
    with pytest.raises(Unavailable, match=f"answered {refusal[0]}"):
        scaler(server).set("serving", 4)


def test_an_answer_that_does_not_come_is_waited_for_so_long_and_no_longer(server: ApiServer) -> None:
    server.hang = threading.Event()
    with pytest.raises(Unavailable, match=r"does not answer.*timed out"):
        scaler(server, timeout_seconds=0.2).set("serving", 4)


def test_a_token_that_was_renewed_is_used(server: ApiServer) -> None:
    (server.account / "token").write_text("of yesterday")
    with pytest.raises(Unavailable, match="401"):
        scaler(server).current("serving")
    (server.account / "token").write_text(f"{TOKEN}\n")
    assert scaler(server).current("serving").running == 2


def test_a_server_another_authority_vouches_for_gets_no_token(server: ApiServer, tmp_path: Path) -> None:
    certificate(server.account / "ca.crt", tmp_path / "another.key")
    with pytest.raises(Unavailable, match="certificate"):
        scaler(server).current("serving")
    assert server.calls == []


def test_outside_a_pod_it_says_what_is_missing(tmp_path: Path) -> None:
    outside = KubernetesScaler(ScalerSettings(service_account=tmp_path / "nothing"), {"serving": Bounds(2, 4)})
    with pytest.raises(Unavailable, match=r"no service account is mounted in .*nothing"):
        outside.current("serving")


def test_only_http_is_spoken(tmp_path: Path) -> None:
    with pytest.raises(EvergreenError, match="EVERGREEN_SCALER__API_URL"):
        KubernetesScaler(ScalerSettings(api_url=f"file://{tmp_path}"), {})
