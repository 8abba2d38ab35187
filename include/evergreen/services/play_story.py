"""The whole story on a running stack: first champion, calm weeks, the break, retraining until a challenger wins, two drills."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Protocol

from evergreen.contracts.actions import ActionKind
from evergreen.core.errors import EvergreenError
from evergreen.ports.chronicle import Chronicle
from evergreen.services.carry_out import CarryOut
from evergreen.services.replay import Batch, Replay
from evergreen.services.story import Step, Story


class Drills(Protocol):
    def submit_bad(self) -> str:
        """A deliberately bad challenger enters the gates like any candidate; returns its version name."""


class PlayStory:
    """Guarantee: ends with all eight kinds of step told, or raises and says which step did not come and by when it was due."""

    def __init__(
        self,
        *,
        model: str,
        replay: Replay,
        story: Story,
        chronicle: Chronicle,
        carry_out: CarryOut,
        drills: Drills,
        narrate: Callable[[Sequence[Step], str], None],
    ) -> None:
        self._model = model
        self._replay = replay
        self._story = story
        self._chronicle = chronicle
        self._carry_out = carry_out
        self._drills = drills
        self._narrate = narrate

    def run(self, bootstrap: Batch, weeks: Sequence[Batch], promote_by: date) -> None:
        self.bootstrap(bootstrap)
        waiting = deque(weeks)
        self._weeks(waiting, lambda: self._story.has("promote"), f"no challenger was promoted by {promote_by}", last_day=promote_by)
        self._weeks(waiting, self._champion_stable, "the new champion did not become stable")
        bad = self.bad_challenger()
        self.forced(bad, waiting)

    def bootstrap(self, batch: Batch) -> None:
        self._replay.advance_to(batch.release)
        self._replay.digest_silently(batch)
        self._tell(f"{len(batch.rows)} rows of {batch.first_day}…{batch.last_day} ingested")
        self._carry_out.request(ActionKind.RETRAIN, model=self._model, target=self._model, reason="bootstrap", who="demo", key="bootstrap")
        self._replay.settle()
        self._tell("first version trained, gated and deployed")
        if not self._story.has("bootstrap"):
            raise EvergreenError("the first version was not deployed; see the runs of evaluate and promote in Airflow's UI")

    def bad_challenger(self) -> str:
        bad = self._drills.submit_bad()
        self._story.bad_versions.add(bad)
        self._replay.settle()
        self._tell(f"drill: {bad} was trained on the contrary of what happened and sent through the gates")
        if not self._story.has("bad_refused"):
            raise EvergreenError(f"the gates did not refuse {bad}")
        return bad

    def forced(self, bad: str, waiting: deque[Batch]) -> None:
        self._carry_out.request(
            ActionKind.PROMOTE,
            model=self._model,
            target=bad,
            reason="manual",
            who="demo",
            key=f"forced-{bad}",
            params={"forced": True, "reason": "drill: a bad version promoted by force"},
        )
        self._replay.settle()
        self._tell(f"drill: {bad} promoted by force")
        if not self._story.has("forced_promote"):
            raise EvergreenError(f"{bad} was not promoted by force")
        self._weeks(waiting, lambda: self._story.has("rollback"), f"{bad} was not rolled back", check_after_each=True)

    def _weeks(self, waiting: deque[Batch], done: Callable[[], bool], failure: str, *, last_day: date | None = None, check_after_each: bool = False) -> None:
        """Replay on until `done`. `check_after_each`: let a day pass after each batch, so that its labels are looked at before the next."""
        while not done():
            if not waiting or (last_day is not None and waiting[0].first_day > last_day):
                raise EvergreenError(failure)
            batch = waiting.popleft()
            for played in self._replay.play([batch]):
                if check_after_each:
                    self._replay.advance_to(played.release + timedelta(days=1))
                self._tell(f"{played.first_day}…{played.last_day}: {len(played.rows)} rows")

    def _champion_stable(self) -> bool:
        name, version = self._chronicle.champions(self._model)[-1].split("@")
        return self._chronicle.is_stable(name, int(version))

    def _tell(self, progress: str) -> None:
        self._narrate(self._story.observe(), progress)
