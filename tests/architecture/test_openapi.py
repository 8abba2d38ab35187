"""The committed OpenAPI document is the one the routes make."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evergreen.environment import CHECKOUT, child_environment

COMMITTED = CHECKOUT / "docs" / "reference" / "openapi.json"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("openapi")
    target = Path(folder) / "openapi.json"
    done = subprocess.run(
        [sys.executable, "-m", "serving.openapi", str(target)],
        cwd=CHECKOUT,
        env=child_environment(folder),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return target.read_text()


def test_the_committed_document_is_the_generated_one(generated: str) -> None:
    assert COMMITTED.read_text() == generated, "run: python -m serving.openapi docs/reference/openapi.json"


def test_it_describes_what_applications_and_operators_call(generated: str) -> None:
    document: dict[str, Any] = json.loads(generated)
    assert document["info"]["title"] == "Video Social Analytics API"
    assert {"/predict/video", "/feedback", "/livez", "/readyz", "/metrics"} <= set(document["paths"])


OWN_ERRORS = {
    "MLflow's scoring protocol": [{"error_code", "message", "sqlstate", "error_class"}],
    "Open Inference Protocol": [{"error"}, {"name", "ready"}, {"live", "ready"}],
}
"""Protocols of others say what is wrong in their own words. 415 of MLflow's is plain text."""


def test_every_error_is_a_problem_document_or_what_its_protocol_says(generated: str) -> None:
    paths: dict[str, Any] = json.loads(generated)["paths"]
    answers = [
        (path, operation["tags"][0], code, answer["content"])
        for path, methods in paths.items()
        for operation in methods.values()
        for code, answer in operation["responses"].items()
        if code[0] in "45"
    ]
    assert answers
    others = [(path, tag, code, content) for path, tag, code, content in answers if set(content) != {"application/problem+json"}]
    assert {tag for _, tag, _, _ in others} == set(OWN_ERRORS)
    for path, tag, code, content in others:
        [(kind, described)] = content.items()
        assert (kind, code) == ("text/plain", "415") or set(described["schema"]["properties"]) in OWN_ERRORS[tag], (path, code)
