"""`python -m evergreen.workers.backtest_runner --parent PID`: one back-test, asked over standard input, answered over standard output.

A process of its own: thousands of decisions in plain Python would hold up the predictions of whoever asks. Started by a serving worker, which
bounds its time; it gives way to everything else, and the kernel ends it with its parent."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import timedelta
from typing import Any

from evergreen.adapters.postgres.leadership import wait_turn
from evergreen.bootstrap import Parts
from evergreen.contracts.api_policy import BacktestRequest
from evergreen.core.errors import InvalidRequest
from evergreen.core.thresholds import Threshold
from evergreen.services.show_policy import MovedNumbers, TryNumbers
from evergreen.settings import load_settings
from evergreen.workers.job_runner import end_with_parent, give_way

MEMORY_MB = 1024
TURN, TURN_SECONDS = "backtest", 5.0
"""One at a time on a Postgres, whoever asks: all workers of serving together take one core for them."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Decides recorded events again, with other numbers.")
    parser.add_argument("--parent", type=int, required=True)
    end_with_parent(parser.parse_args().parent)
    give_way(MEMORY_MB)
    asked = BacktestRequest.model_validate_json(sys.stdin.buffer.read())
    try:
        said = answer(Parts(load_settings()), asked)
    except InvalidRequest as error:
        said = {"refused": str(error)}
    sys.stdout.write(json.dumps(said))


def answer(parts: Parts, asked: BacktestRequest) -> dict[str, Any]:
    """Raises InvalidRequest, Unavailable."""
    with parts.store.transaction() as tx:
        return {"found": run(parts, asked)} if wait_turn(tx.connection, TURN, TURN_SECONDS) else {"busy": True}


def run(parts: Parts, asked: BacktestRequest) -> dict[str, Any]:
    """Raises InvalidRequest, Unavailable."""
    thresholds = tuple(Threshold(one.event_type, one.severity, one.field, float(one.above)) for one in asked.thresholds)
    numbers = MovedNumbers(asked.days, thresholds, {kind: timedelta(seconds=length) for kind, length in asked.cooldowns.items()})
    return TryNumbers(parts.store, parts.intake.catalogue).run(parts.intake.active_policy.current(), numbers, parts.clock.now())


if __name__ == "__main__":
    main()
