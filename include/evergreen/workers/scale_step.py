"""The executor of `scale_up` and `scale_down`: claims what is due and carries it out, one after the other. Run by one leader at a time;
two for a moment do no harm, since an action is claimed by one of them."""

from __future__ import annotations

import threading

import structlog

from evergreen.bootstrap import Parts
from evergreen.contracts.envelope import new_id
from evergreen.core.errors import Fenced, InvalidRequest, Unavailable
from evergreen.local_stack.scaling import scaler
from evergreen.ports.scaler import Scaler
from evergreen.ports.storage import ClaimedAction
from evergreen.services.scale import SCALE_KINDS

ROUND_SECONDS = 1.0
log = structlog.get_logger(__name__)


class ScaleStep:
    def __init__(self, parts: Parts, stop: threading.Event, through: Scaler | None = None) -> None:
        """`through`: default the scaler of the home's settings."""
        self._carry_out = parts.carry_out
        self._scale = parts.scale_service(through or scaler(parts.settings), stop)
        self._stop = stop

    def __call__(self) -> None:
        """One round. Raises Unavailable where Postgres does not answer: what was claimed returns when its lease runs out."""
        for kind in SCALE_KINDS:
            while not self._stop.is_set() and (claimed := self._carry_out.claim(kind, f"scaler:{new_id()}")) is not None:
                self._do(claimed)
        self._stop.wait(ROUND_SECONDS)

    def _do(self, claimed: ClaimedAction) -> None:
        about = {"action_id": str(claimed.action.id), "kind": claimed.action.kind.value, "service": claimed.action.target}
        try:
            with self._carry_out.working(claimed.lease):
                self._scale.run(claimed)
        except Fenced as error:
            log.warning("scale_fenced", error=str(error), **about)
        except InvalidRequest as error:
            log.error("scale_refused", error=str(error), **about)
        except Unavailable as error:
            log.warning("scale_failed", error=str(error), attempts=claimed.attempts, **about)
            self._carry_out.fail(claimed.lease, str(error))
