"""The doorbell says what fits into a message."""

from __future__ import annotations

from uuid import uuid4

from evergreen.contracts.actions import Action, ActionKind, Cause
from evergreen.contracts.envelope import MAX_BYTES, encode
from evergreen.services.carry_out import CAUSES_SAID, request_event
from tests.support.events import MODEL, NOON


def test_a_doorbell_fits_into_a_message_whatever_the_causes_are_called() -> None:
    cause = Cause(source="\U0001f3ac" * 256, id="\U0001f3ac" * 64, type="data_drift_detected")
    action = Action(id=uuid4(), kind=ActionKind.RETRAIN, model=MODEL, reason="r", due_at=NOON, as_of=NOON, causes=(cause,) * 10_000)

    said = request_event(action, NOON)

    assert len(said.data["action"]["causes"]) == CAUSES_SAID
    assert len(encode(said)) < MAX_BYTES
