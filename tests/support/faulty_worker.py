"""A serving worker some of whose versions have faults no artifact can bring along: `python faulty_worker.py '{"4": "no number"}'`, else as
`python -m serving`. They load as they should: the fault shows when they are asked."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from evergreen.ports.model import Answering, Rows
from evergreen.ports.serving import LoadedModel
from serving import __main__
from serving.loader import VersionLoader

Answers = list[dict[str, Any]]


def no_number(answers: Answers) -> Answers:
    return [{**answer, "prediction": math.nan} for answer in answers]


def slow(answers: Answers) -> Answers:
    time.sleep(0.3)
    return answers


FAULTS: Mapping[str, Callable[[Answers], Answers]] = {"no number": no_number, "slow": slow}


class Faulty:
    def __init__(self, answering: Answering, fault: Callable[[Answers], Answers]) -> None:
        self._answering = answering
        self._fault = fault

    def answer(self, requests: Sequence[Mapping[str, Any]], rows: Rows = None) -> Answers:
        return self._fault(self._answering.answer(requests, rows))


def main() -> None:
    faults: dict[str, str] = json.loads(sys.argv.pop(1))
    load = VersionLoader.load

    def loaded(self: VersionLoader, model: str, version: int) -> LoadedModel:
        found, fault = load(self, model, version), faults.get(str(version))
        return found if fault is None else replace(found, answering=Faulty(found.answering, FAULTS[fault]))

    VersionLoader.load = loaded  # type: ignore[method-assign]
    __main__.main()


if __name__ == "__main__":
    main()
