"""From the supervisor's word and a probe to the state people read."""

from __future__ import annotations

from pathlib import Path

import pytest

from evergreen.cli.stack import _about
from evergreen.local_stack import doctor
from evergreen.local_stack.jars import jar_folder
from evergreen.local_stack.part import Part
from evergreen.local_stack.ports import BASE, Ports
from evergreen.local_stack.readiness import get_json, kafka_acknowledges, mark_ready, mlflow_answers, postgres_answers, redis_answers
from evergreen.local_stack.status import ServiceStatus, StackStatus, _service, state_of
from evergreen.local_stack.supervision import ProcessState


def process(state: str, seconds: int = 5) -> ProcessState:
    return ProcessState("kafka", "kafka", state, 7, seconds, "")


@pytest.mark.parametrize(
    ("word", "seconds", "ready", "state"),
    [
        pytest.param("RUNNING", 5, True, "healthy", id="works"),
        pytest.param("STARTING", 1, True, "healthy", id="works-before-the-supervisor-trusts-it"),
        pytest.param("RUNNING", 5, False, "starting", id="young"),
        pytest.param("RUNNING", 500, False, "unhealthy", id="runs-but-does-not-work"),
        pytest.param("BACKOFF", 0, False, "unhealthy", id="ends-at-its-start"),
        pytest.param("FATAL", 0, False, "gave_up", id="gave-up"),
        pytest.param("STOPPED", 0, False, "stopped", id="stopped"),
        pytest.param("EXITED", 9, True, "stopped", id="another-one-answers-in-its-place"),
    ],
)
def test_states(word: str, seconds: int, ready: bool, state: str) -> None:
    assert state_of(process(word, seconds), ready) == state


def test_json_has_workers_only_where_there_are_several_and_no_logins() -> None:
    workers = [{"pid": 3, "state": "healthy"}]
    services = {"kafka": ServiceStatus("healthy", 2, "127.0.0.1:9092"), "serving": ServiceStatus("healthy", None, "http://x", workers)}
    found = StackStatus("/home", services, {"video_performance": {"version": 2, "epoch": 3}}, None, {}, {"airflow": {"admin": "secret-word"}})
    printed = found.to_json()
    assert printed["services"] == {
        "kafka": {"state": "healthy", "pid": 2, "url": "127.0.0.1:9092"},
        "serving": {"state": "healthy", "pid": None, "url": "http://x", "workers": workers},
    }
    assert printed["models"] == {"video_performance": {"version": 2, "epoch": 3}}
    assert "secret-word" not in str(printed)


def serving(*states: str) -> ServiceStatus:
    part = Part(name="serving", command=("python",), probe=lambda: True, url="http://x", socket="tcp://127.0.0.1:1", processes=4)
    processes = [ProcessState(f"serving-{at:02}", "serving", state, 100 + at, 99, "") for at, state in enumerate(states)]
    return _service(part, processes, True, 2)


def test_workers_that_were_scaled_away_or_drain_are_not_listed() -> None:
    found = serving("RUNNING", "RUNNING", "STARTING", "STOPPED")
    assert found.workers == [{"pid": pid, "state": "healthy"} for pid in (100, 101, 102)]
    assert [worker["pid"] for worker in serving("RUNNING", "RUNNING", "STOPPING", "STOPPED").workers or []] == [100, 101]
    assert found.limits == {"min": 2, "max": 4}
    assert _about(found) == "3 workers (2–4)"
    assert _about(ServiceStatus("healthy", 7)) == "pid 7"


def test_one_worker_that_gave_up_is_shown_and_the_set_is_as_well_as_what_it_answers() -> None:
    found = serving("RUNNING", "FATAL", "STOPPED", "STOPPED")
    assert (found.state, [worker["state"] for worker in found.workers or []]) == ("healthy", ["healthy", "gave_up"])
    assert serving("STOPPED", "STOPPED", "STOPPED", "STOPPED").state == "stopped"


def test_probes_of_parts_that_are_not_there_say_no_in_time(unused_port: int) -> None:
    address = f"127.0.0.1:{unused_port}"
    assert kafka_acknowledges(address) is False
    assert postgres_answers(f"postgresql://a:b@{address}/c") is False
    assert redis_answers(f"redis://{address}") is False
    assert mlflow_answers(f"http://{address}") is False
    assert get_json(f"http://{address}") is None


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_worker_marks_itself_ready(tmp_path: Path) -> None:
    mark_ready(tmp_path, "intake")
    assert (tmp_path / "run" / "intake.ready").exists()


def test_the_doctor_names_a_full_disk_and_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "NEEDED_BYTES", 10**18)
    (found,) = [finding for finding in doctor.diagnose(tmp_path / "new") if finding.part == "disk"]
    assert "MB are free" in found.problem
    assert "EVERGREEN_HOME" in found.remedy


def test_the_doctor_names_jars_that_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_CACHE", str(tmp_path))
    jar_folder(tmp_path).mkdir(parents=True)
    (found,) = [finding for finding in doctor.diagnose(tmp_path / "home") if "differ from the lock" in finding.problem]
    assert found.part == "kafka"
    assert "make setup" in found.remedy


def test_the_doctor_names_a_first_start_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_CACHE", str(tmp_path))
    monkeypatch.setattr(doctor, "can_reach_repository", lambda: False)
    assert "kafka" in {finding.part for finding in doctor.diagnose(tmp_path / "home") if "no repository answers" in finding.problem}


def test_the_doctor_names_an_unfit_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (3, 14))
    found = [finding for finding in doctor.diagnose(tmp_path / "home") if finding.part == "python"]
    assert "is needed" in found[0].problem


def test_the_doctor_names_the_port_of_kafkas_controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[str]] = []

    def none_taken(_ports: Ports, parts: set[str]) -> dict[str, int]:
        asked.append(parts)
        return {}

    monkeypatch.setattr(doctor, "taken", none_taken)
    doctor.diagnose(tmp_path / "home")
    assert asked == [set(BASE)]
