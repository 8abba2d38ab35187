"""What people are told of experiments: that one began, that it is over and what it found, and at once when it is broken."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from evergreen.contracts.envelope import derived_id
from evergreen.core.alerts import LONGEST_MESSAGE, AlertDetails, bounded
from evergreen.ports.alerts import AlertRow
from evergreen.ports.experiments import ExperimentRow, ExperimentStatus

_ENDED_KO = {"finished": "종료", "stopped": "중지", "broken": "중단(집단 배정 이상)"}


def experiment_started(row: ExperimentRow) -> AlertRow:
    plan = row.plan
    variants = ", ".join(f"{variant.name} {share:.0%}" for variant, share in zip(plan.variants, plan.shares, strict=True))
    message = f"By {row.started_by}: {row.reason} ({plan.share:.0%} of the users take part until {row.until_time:%Y-%m-%d %H:%M}: {variants})"
    message_ko = f"{row.started_by}: {row.reason} (사용자의 {plan.share:.0%}가 {row.until_time:%Y-%m-%d %H:%M}까지 참여: {variants})"
    return _alert(row, "experiment_started", "low", "started", "시작", message, message_ko, row.started_time)


def experiment_ended(row: ExperimentRow, status: ExperimentStatus, *, by: str, reason: str, at: datetime) -> AlertRow:
    found = "" if row.found is None or row.found.says in reason else f" {row.found.says}."
    if status == "broken":
        found = " Everybody is shown the control again; what it found counts for nothing. Look for a variant that fails, is slow or is not shown."
    message, message_ko = f"By {by}: {reason}.{found}", f"{by}: {reason}.{found}"
    severity = "high" if status == "broken" else "low"
    return _alert(row, f"experiment_{status}", severity, status, _ENDED_KO[status], message, message_ko, at)


def _alert(row: ExperimentRow, kind: str, severity: str, word: str, word_ko: str, message: str, message_ko: str, at: datetime) -> AlertRow:
    name, model = row.plan.name, row.plan.model
    details = AlertDetails(
        event_type=kind,
        title_ko=f"[{'높음' if severity == 'high' else '낮음'}] 실험 {name} {word_ko}",
        message_ko=bounded(message_ko, LONGEST_MESSAGE),
    )
    title = f"[{severity}] Experiment {name} of {model} {'is ' if word == 'broken' else ''}{word}"
    return AlertRow(UUID(derived_id(kind, name)), f"{model}/{name}|{kind}", severity, title, bounded(message, LONGEST_MESSAGE), model, at, details=details)
