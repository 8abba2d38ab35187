"""The alerts that somebody moved one of the registry's aliases, and what it was moved to."""

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
    return _alert(model, title, f"MLflow 별칭이 수동으로 변경됨: {model} {alias}", message, message_ko, None if found is None else f"{model}@{found}", now)


def moved_to_unfit(model: str, version: int, cause: str, serves: bool, now: datetime) -> AlertRow:
    """After it was put back: what the version is. `serves`: it is the champion, which answers from what was verified when it was loaded."""
    name = f"{model}@{version}"
    then = "It serves from verified bytes; train a new one." if serves else "It is quarantined: neither promoted nor rolled back to."
    then_ko = "검증된 파일로 서빙 중입니다. 새로 학습하세요." if serves else "격리되어 배포와 롤백 대상에서 제외됩니다."
    message = f"{name}, to which an alias was moved by hand, is {cause}. {then}"
    message_ko = f"수동으로 변경된 별칭이 가리킨 {name}은(는) 사용할 수 없습니다({cause}). {then_ko}"
    return _alert(model, f"MLflow alias was moved to {name}, which is unfit", f"별칭이 가리킨 {name}은(는) 부적합", message, message_ko, name, now)


def _alert(model: str, title: str, title_ko: str, message: str, message_ko: str, version: str | None, now: datetime) -> AlertRow:
    text_ko = bounded(message_ko, LONGEST_MESSAGE)
    details = AlertDetails(event_type=EVENT_TYPE, title_ko=f"[높음] {title_ko}", message_ko=text_ko, model_version=version)
    return AlertRow(uuid4(), f"{model}|{EVENT_TYPE}", "high", f"[high] {title}", bounded(message, LONGEST_MESSAGE), model, now, details=details)


def _said(version: int | None) -> str:
    return "nothing" if version is None else f"version {version}"


def _said_ko(version: int | None) -> str:
    return "없음" if version is None else f"버전 {version}"
