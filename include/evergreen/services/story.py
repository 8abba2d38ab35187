"""The demo's story: which recorded events are its steps, with time and cause, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from evergreen.ports.chronicle import Chronicle, Happened

StepName = Literal["bootstrap", "drift", "retrain", "candidate_refused", "promote", "bad_refused", "forced_promote", "rollback"]


@dataclass(frozen=True)
class Step:
    name: StepName
    at: datetime
    """Platform time."""
    seconds: float
    """Wall seconds since the demo began."""
    cause: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"at": self.at.isoformat(), "seconds": round(self.seconds, 1)}


class Story:
    """Reads what happened since it was last asked; `bad_versions` are those the drills made."""

    def __init__(self, chronicle: Chronicle, began: datetime) -> None:
        """`began`: wall time the steps' seconds count from."""
        self._chronicle = chronicle
        self._began = began
        self._seq = 0
        self.bad_versions: set[str] = set()
        self.steps: list[Step] = []
        self.first_drift_date: str | None = None

    def observe(self) -> list[Step]:
        """New steps, oldest first."""
        fresh = []
        for happened in self._chronicle.after(self._seq):
            self._seq = happened.seq
            if (told := self._tell(happened)) is not None:
                fresh.append(Step(told[0], happened.time, (happened.decided_at - self._began).total_seconds(), told[1]))
        self.steps += fresh
        return fresh

    def has(self, name: StepName) -> bool:
        return any(step.name == name for step in self.steps)

    def _tell(self, happened: Happened) -> tuple[StepName, str] | None:
        data = happened.data
        if happened.type == "data_drift_detected" and "retrain" in happened.led_to:
            self.first_drift_date = self.first_drift_date or data["window"]["first_day"]
            return "drift", _drift(data)
        if happened.type == "model_training_completed" and data["reason"] not in {"bootstrap", "submitted"}:
            return "retrain", f"{data['model_version']} trained on {data['rows']} rows {_days(data['window'])} because of {data['reason']}"
        if happened.type == "model_evaluation_completed" and not data["approved"]:
            return ("bad_refused" if data["model_version"] in self.bad_versions else "candidate_refused"), _refusal(data)
        if happened.type == "model_deployed":
            return _deployment(data)
        return None


def _drift(data: Mapping[str, Any]) -> str:
    affected = sorted(data["affected_features"], key=lambda feature: -feature["effect"])
    names = ", ".join(f"{feature['name']} {feature['effect']:.2f}" for feature in affected[:4])
    what = f"lists of {_days(data['window'])} differ from what {data['model_version']} learned"
    return f"{what}: score {data['drift_score']:.2f}, {len(affected)} features ({names})"


def _refusal(data: Mapping[str, Any]) -> str:
    failed = "; ".join(f"{gate['name']}: {gate['detail']}" for gate in data["gates"] if not gate["passed"])
    return f"{data['model_version']} refused by {failed}"


def _deployment(data: Mapping[str, Any]) -> tuple[StepName, str]:
    said = f"{data['model_version']} serves (epoch {data['epoch']}), confirmed by {len(data['confirmed_by'])} workers: {data['reason']}"
    if data["kind"] != "promote":
        return "rollback", said
    if data["forced"]:
        return "forced_promote", said
    return ("bootstrap" if data["previous_version"] is None else "promote"), said


def _days(window: Mapping[str, str]) -> str:
    return f"{window['first_day']}…{window['last_day']}"
