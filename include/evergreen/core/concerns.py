"""Which models an event is about, and what an action on its behalf is aimed at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evergreen.contracts import events as e
from evergreen.contracts.actions import NO_MODEL

Catalogue = Mapping[str, Sequence[str]]
"""Every model this home knows -> the datasets that feed it."""


def models_of(payload: e.Payload, catalogue: Catalogue) -> tuple[str, ...]:
    """One decision is made for each; `-` alone when the event concerns no model. A name that is not in the catalogue is returned as it is."""
    if isinstance(payload, e.DataProcessed | e.DataQualityIssue):
        fed = tuple(sorted(model for model, datasets in catalogue.items() if payload.dataset in datasets))
        return fed or (NO_MODEL,)
    if isinstance(payload, e.DataDriftDetected):
        return (model_of_version(payload.model_version),)
    if isinstance(payload, e.ServiceHealth):
        return (model_of_version(payload.model_version) if payload.model_version else NO_MODEL,)
    if isinstance(payload, e.ActionRequested):
        return (payload.action.model,)
    if isinstance(payload, e.ActionCompleted | e.ActionFailed | e.TimerDue):
        return (payload.model,)
    named = getattr(payload, "model_name", None)
    return (named if isinstance(named, str) else NO_MODEL,)


def model_of_version(version: str) -> str:
    return version.partition("@")[0]


def aim_of(payload: e.Payload, model: str) -> str:
    """What a model-less response is about: cooldowns of different services, datasets and kinds must not mix."""
    if model != NO_MODEL:
        return model
    for field in ("service_name", "dataset", "title", "kind"):
        found = getattr(payload, field, None)
        if found:
            return str(found)[:128]
    return NO_MODEL
