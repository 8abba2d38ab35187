"""Every list that is given to a user, told to Kafka (`recommendations_shown`) before the answer leaves.

Telemetry, as the prediction log: telling never waits and never raises. Failure: Kafka is away or its queue is full. Remedy: it is dropped and
counted; what is clicked on that list counts for no experiment, whichever variant it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from evergreen.contracts.ids import SCHEMA_URI, derived_id
from evergreen.core.clock import wall_now
from evergreen.ports.messaging import Telemetry
from serving.experiments import Assigned

TOPIC, TYPE = "prediction.completed", "recommendations_shown"
_encode = msgspec.json.Encoder().encode


class ShownList(NamedTuple):
    list_id: str
    user_id: str
    model: str
    version: str | None
    """`name@N`; None: the popular list, made without a model."""
    items: Sequence[str]
    """Best first."""
    time: datetime
    assigned: Assigned | None = None
    traceparent: str = ""


class ExposureLog:
    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def shown(self, one: ShownList) -> None:
        """The event's id is made from the list's: told twice, it is recorded once."""
        data = {
            "user_id": one.user_id,
            "list_id": one.list_id,
            "model_name": one.model,
            "model_version": one.version,
            "items": list(one.items),
            "experiment": None if one.assigned is None else one.assigned.experiment,
            "variant": None if one.assigned is None else one.assigned.variant,
        }
        event = {
            "specversion": "1.0",
            "id": derived_id(one.list_id, TYPE),
            "source": f"/serving/{one.model}",
            "type": TYPE,
            "subject": one.user_id,
            "time": one.time.isoformat(),
            "datacontenttype": "application/json",
            "dataschema": SCHEMA_URI.format(type=TYPE),
            "producedwall": wall_now().isoformat(),
            "correlationid": one.list_id,
            **({"traceparent": one.traceparent} if one.traceparent else {}),
            "data": data,
        }
        self._telemetry.tell(TOPIC, [(one.user_id.encode(), _encode(event))])
