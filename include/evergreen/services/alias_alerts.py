"""The alert that somebody moved one of the registry's aliases."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from evergreen.core.alerts import LONGEST_MESSAGE, AlertDetails, bounded
from evergreen.ports.alerts import AlertRow

EVENT_TYPE = "registry_tampered"


def alias_moved(model: str, alias: str, before: int | None, found: int | None, wanted: int | None, about: str, now: datetime) -> AlertRow:
    """One per move, one group per model. `about`: what is known against the version it was moved to."""
    move = f"from {_said(before)} to {_said(found)}" + (f", which is {about}" if about else "")
    message = (
        f"{alias} of {model} was moved by hand {move}. It is put back to {_said(wanted)}; serving never reads it. "
        "Find out who has access to MLflow; change who serves with `evergreen models promote` or `evergreen models rollback`."
    )
    message_ko = (
        f"누군가 MLflow에서 {model}의 {alias}을(를) {_said_ko(before)}에서 {_said_ko(found)}(으)로 바꾸었습니다{f' ({about})' if about else ''}. "
        f"{_said_ko(wanted)}(으)로 되돌립니다. 서빙은 별칭을 읽지 않습니다. "
        "MLflow에 접근할 수 있는 사람을 확인하고, 모델 교체는 `evergreen models promote` 또는 `evergreen models rollback`으로 하세요."
    )
    title = f"MLflow alias {alias} of {model} was moved by hand"
    details = AlertDetails(
        event_type=EVENT_TYPE,
        title_ko=f"[높음] MLflow 별칭이 수동으로 변경됨: {model} {alias}",
        message_ko=bounded(message_ko, LONGEST_MESSAGE),
        model_version=None if found is None else f"{model}@{found}",
    )
    return AlertRow(uuid4(), f"{model}|{EVENT_TYPE}", "high", f"[high] {title}", bounded(message, LONGEST_MESSAGE), model, now, details=details)


def _said(version: int | None) -> str:
    return "nothing" if version is None else f"version {version}"


def _said_ko(version: int | None) -> str:
    return "없음" if version is None else f"버전 {version}"
