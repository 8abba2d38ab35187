"""What a person asked for on a trigger form (or with `airflow dags test --conf`): from form fields to an action's model, target and params."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evergreen.contracts.actions import NO_MODEL, ActionKind
from evergreen.contracts.events import DataIngested, Window
from evergreen.core.errors import DataRejected, EvergreenError

Form = Mapping[str, Any]


class IncompleteForm(EvergreenError):
    """A field of the trigger form is missing or cannot be read; the message names it."""


@dataclass(frozen=True)
class Wish:
    """What `CarryOut.request` is given."""

    model: str
    target: str
    params: dict[str, Any] = field(default_factory=dict)


def read_form(kind: ActionKind, form: Form) -> Wish:
    """Raises IncompleteForm, DataRejected."""
    reason = str(form.get("reason") or "").strip()
    if not reason:
        raise IncompleteForm("a reason is required: it is recorded with the action")
    wish = _READERS[kind](form)
    return Wish(wish.model, wish.target, {**wish.params, "reason": reason})


def _ingest(form: Form) -> Wish:
    path = Path(_required(form, "path"))
    if not path.is_file():
        raise DataRejected(f"there is no file {path}")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    batch_id = f"{path.stem}.{sha256[:8]}"
    window = _window(form)
    batch = DataIngested(batch_id=batch_id, dataset=_required(form, "dataset"), path=str(path), rows=_rows(path), window=window, sha256=sha256)
    return Wish(NO_MODEL, batch_id, batch.model_dump(mode="json"))


def _rows(path: Path) -> int:
    import pyarrow
    from pyarrow import parquet

    try:
        return int(parquet.read_metadata(path).num_rows)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataRejected(f"{path} is not a whole Parquet file: {error}") from error


def _drift_check(form: Form) -> Wish:
    model = _required(form, "model")
    window = _window(form)
    return Wish(model, model, {"dataset": _required(form, "dataset"), "windows": [window.model_dump(mode="json")]})


def _of_model(form: Form) -> Wish:
    model = _required(form, "model")
    return Wish(model, model)


def _of_version(form: Form) -> Wish:
    model = _required(form, "model")
    return Wish(model, f"{model}@{_version(form, 'version')}")


def _promote(form: Form) -> Wish:
    wish = _of_version(form)
    return Wish(wish.model, wish.target, {"forced": True} if form.get("force") else {})


def _rollback(form: Form) -> Wish:
    model = _required(form, "model")
    to_version = f"{model}@{_version(form, 'to_version')}" if form.get("to_version") else None
    return Wish(model, model, {"from_version": None, "to_version": to_version} | ({"forced": True} if form.get("force") else {}))


_READERS: dict[ActionKind, Callable[[Form], Wish]] = {
    ActionKind.INGEST: _ingest,
    ActionKind.DRIFT_CHECK: _drift_check,
    ActionKind.PERFORMANCE_CHECK: _of_model,
    ActionKind.RETRAIN: _of_model,
    ActionKind.EVALUATE: _of_version,
    ActionKind.PROMOTE: _promote,
    ActionKind.ROLLBACK: _rollback,
    ActionKind.MAINTENANCE: lambda _: Wish(NO_MODEL, NO_MODEL),
}


def _required(form: Form, name: str) -> str:
    value = str(form.get(name) or "").strip()
    if not value:
        raise IncompleteForm(f"{name} is required")
    return value


def _day(form: Form, name: str) -> date:
    value = _required(form, name)
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise IncompleteForm(f"{name} must be a day such as 2025-07-24, not {value!r}") from error


def _window(form: Form) -> Window:
    days = {name: _day(form, name) for name in ("first_day", "last_day")}
    try:
        return Window(**days)
    except ValidationError as error:
        raise IncompleteForm(error.errors()[0]["msg"].removeprefix("Value error, ")) from error


def _version(form: Form, name: str) -> int:
    value = _required(form, name)
    if not value.isdecimal():
        raise IncompleteForm(f"{name} must be a version number, not {value!r}")
    return int(value)
