"""The trigger forms in Airflow's UI: one per kind, the model picked from a list, the reason always asked for.

A form's defaults must be valid by themselves, since rung runs carry no form; what is missing is refused by `by_hand.read_form`."""

from __future__ import annotations

from functools import cache
from typing import Any

from airflow.sdk import Param

from evergreen.orchestration.process import parts

Fields = dict[str, Param]


@cache
def _models() -> tuple[str, ...]:
    return tuple(parts().specs)


@cache
def _datasets() -> tuple[str, ...]:
    return tuple(dict.fromkeys(dataset for spec in parts().specs.values() for dataset in spec.datasets))


def reason() -> Fields:
    text = "Why now? Recorded with the action and shown wherever it is explained."
    return {"reason": Param("", type="string", maxLength=500, title="Reason", description=text)}


def model() -> Fields:
    return {"model": Param(_models()[0], type="string", enum=list(_models()), title="Model")}


def version() -> Fields:
    return {"version": _number("Version", "The number N of NAME@N, as `evergreen models list` shows it.")}


def force() -> Fields:
    text = "Skip the gates. Recorded; the version is still confirmed by every serving worker and baked."
    return {"force": Param(False, type="boolean", title="Force", description=text)}


def unstable() -> Fields:
    text = "Also to a version that never earned stable. Recorded; a quarantined one stays refused."
    return {"force": Param(False, type="boolean", title="Force", description=text)}


def earlier_version() -> Fields:
    return {"to_version": _number("Back to version", "Empty: the last stable version that can be loaded.")}


def dataset() -> Fields:
    return {"dataset": Param(_datasets()[0], type="string", enum=list(_datasets()), title="Dataset")}


def days() -> Fields:
    return {"first_day": _day("First list day"), "last_day": _day("Last list day")}


def batch_path() -> Fields:
    text = "A Parquet file in the batch schema, readable by the tasks."
    return {"path": Param("", type="string", title="Batch file", description=text)}


def _number(title: str, text: str) -> Param:
    return Param(None, type=["null", "integer"], minimum=1, title=title, description=text)


def _day(title: str) -> Param:
    return Param(None, type=["null", "string"], format="date", title=title)


def form(*fields: Fields) -> dict[str, Any]:
    """The fields in their order, the reason last."""
    joined: dict[str, Any] = {}
    for group in (*fields, reason()):
        joined |= group
    return joined
