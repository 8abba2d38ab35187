"""What the doorbell's messages say, without Airflow: read once, whichever of the eight DAGs asks.

Topic `mlops.actions` carries `action_requested` (the doorbell) and its completions; only the first kind rings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from evergreen.contracts.actions import Action
from evergreen.contracts.envelope import decode
from evergreen.contracts.errors import InvalidEvent
from evergreen.contracts.events import ActionRequested
from evergreen.contracts.topics import payload_of


@dataclass(frozen=True)
class Unreadable:
    """Not one of our events: `reason` is the dead letter's closed word."""

    reason: str
    detail: str
    exception: str = InvalidEvent.__name__


@lru_cache(maxsize=64)  # eight watchers read each message
def read_message(body: bytes | None) -> Action | Unreadable | None:
    """The action a message asks for; None: another event of the topic. Raises nothing, whatever the bytes: see `ActionTrigger`."""
    if not isinstance(body, bytes):
        return Unreadable("bad_json", "a message without a value")
    try:
        payload = payload_of(decode(body))
    except InvalidEvent as error:
        return Unreadable(error.reason, str(error))
    except Exception as error:  # noqa: BLE001 - the edge to whoever can write to the topic: a raise here would lose the message
        return Unreadable("bad_json", str(error), type(error).__name__)
    return payload.action if isinstance(payload, ActionRequested) else None
