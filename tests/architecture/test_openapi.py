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


def test_every_error_is_a_problem_document(generated: str) -> None:
    paths: dict[str, Any] = json.loads(generated)["paths"]
    answers = [
        (path, code, answer)
        for path, methods in paths.items()
        for operation in methods.values()
        for code, answer in operation["responses"].items()
        if code[0] in "45"
    ]
    assert answers
    assert [(path, code) for path, code, answer in answers if set(answer.get("content", {})) != {"application/problem+json"}] == []
