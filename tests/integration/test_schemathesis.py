"""Everything the OpenAPI document says, tried by Schemathesis on a real worker: with a token of every right, and with none."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from evergreen.adapters.postgres.store import PostgresStore
from evergreen.core.access import Role
from evergreen.domains.movies.dataset import movie_dataset
from evergreen.domains.movies.features import build_features
from evergreen.domains.movies.simulator import simulate
from evergreen.domains.movies.spec import movie_spec
from evergreen.environment import child_environment
from evergreen.local_stack.testing import stack
from tests.integration.test_serving import SPEC, Loop, live
from tests.support.claims import emptied
from tests.support.tokens import bearer
from tests.support.worker_processes import Workers, place_version, simulated_table, until, workers

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(280)]
DAYS = date(2026, 1, 1), date(2026, 3, 1)
SUPPORT = Path(__file__).parents[1] / "support"
CLASSES = ("USER", "VIEWER", "ANALYST", "OPERATOR", "SERVICE", "ANONYMOUS", "LOGIN")
UNLIMITED = {f"EVERGREEN_AUTH__LIMITS__{name}": "1000000000" for name in CLASSES}
"""A 429 would hide what the worker has to say."""
SEED = "5"
FINDS_AT_LEAST = 1_000
"""Cases in a run: fewer would mean that nothing was tried."""


@pytest.fixture(scope="module")
def worker() -> Iterator[Workers]:
    """Beside MLflow, and with a version of each model: where one is missing 503 is all a route says, as documented."""
    with stack({"postgres", "kafka", "redis", "mlflow"}) as settings:
        store = emptied(PostgresStore(settings.postgres.dsn.get_secret_value()))
        movies = build_features(movie_dataset().validate(simulate(*DAYS), DAYS[1]).clean)
        loops = []
        for spec, table in ((SPEC, simulated_table()), (movie_spec(), movies)):
            fitted = spec.fit(table, 0)
            place_version(settings, spec, fitted, table, 1, golden_of=fitted)
            loops.append(Loop(settings, store, {}, model=spec.name))
        with workers(settings, ("serving-00",), UNLIMITED) as started:
            until(lambda: len(live(loops[0])) == 1, 90)
            for loop in loops:
                loop.known(1)
                loop.promote(1, 120)
            yield started
        store.close()


def tried(worker: Workers, folder: Path, headers: dict[str, str], *more: str) -> str:
    """What Schemathesis says at the end of a run that found nothing."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(SUPPORT / "schemathesis.toml")]
    command += ["run", f"{worker.url}/openapi.json", "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "15", "--seed", SEED]
    # No `--checks all`: all are on by default, and named on the command line they would overrule the file.
    command += ["--no-color", "--generation-database", "none", "--continue-on-failure", *more]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    environment = child_environment(worker.settings.home) | {"SCHEMATHESIS_HOOKS": str(SUPPORT / "schemathesis_hooks.py")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    return done.stdout


def cases_of(said: str) -> int:
    tested = re.search(r"Selected: (\d+)/(\d+)\n\s+Tested: (\d+)", said)
    cases = re.search(r"(\d+) generated", said)
    assert tested, said
    assert cases, said
    assert len(set(tested.groups())) == 1  # every operation there is
    print("\n", *said.splitlines()[-30:], sep="\n")  # noqa: T201 - the figures
    return int(cases[1])


def test_with_a_token_every_operation_answers_as_documented(worker: Workers, tmp_path: Path) -> None:
    # Spelt so: Schemathesis takes a header of this very name away when it tries what is answered without.
    token = bearer(worker.settings, Role.OPERATOR, Role.SERVICE, Role.ANALYST)["authorization"]
    said = tried(worker, tmp_path, {"Authorization": token})
    assert cases_of(said) >= FINDS_AT_LEAST


@pytest.mark.parametrize("made_up", ["false", "true"])
def test_without_a_token_that_counts_what_is_not_public_is_refused(worker: Workers, tmp_path: Path, made_up: str) -> None:
    """By default Schemathesis makes up tokens where it has none."""
    said = tried(worker, tmp_path, {"X-Without-Token": "1"}, "--generation-with-security-parameters", made_up)
    assert cases_of(said) >= FINDS_AT_LEAST
