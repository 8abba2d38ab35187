"""When a version may take over, when it has, and where to go back to. Decides; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous_champion"
ALIASES = (CHAMPION, CHALLENGER, PREVIOUS)
"""Names the registry shows; a projection of Postgres, never read back."""

LIVE_SECONDS = 5.0
"""A serving worker whose last heartbeat is older does not count: it cannot answer, so it need not confirm."""
BAKE = timedelta(hours=24)
BAKE_LABELS = 200

Phase = Literal["prepared", "serving"]


@dataclass(frozen=True)
class WorkerView:
    """A live worker and what it said of one deployment."""

    worker_id: str
    phases: frozenset[str]
    detail: str = ""
    """Why it refused."""


@dataclass(frozen=True)
class Agreement:
    """Of the live workers on one phase of a deployment."""

    agreed: tuple[str, ...]
    missing: tuple[str, ...]
    refusal: str = ""
    """`worker: reason` of the first one that refused."""
    enough: bool = False

    @property
    def complete(self) -> bool:
        """Every live worker agreed, and there are enough of them."""
        return self.enough and not self.missing and not self.refusal

    def __str__(self) -> str:
        if self.refusal:
            return self.refusal
        waiting = f"no answer from {', '.join(self.missing)}" if self.missing else "all live workers answered"
        return f"{len(self.agreed)} of {len(self.agreed) + len(self.missing)} live serving workers answered, {waiting}"


def agreement(workers: Sequence[WorkerView], phase: Phase, at_least: int) -> Agreement:
    """A refusal counts only until the worker says otherwise: one that serves the version has loaded it after all."""
    agreed = tuple(sorted(worker.worker_id for worker in workers if phase in worker.phases or "serving" in worker.phases))
    refused = [worker for worker in workers if "refused" in worker.phases and worker.worker_id not in agreed]
    missing = tuple(sorted(worker.worker_id for worker in workers if worker.worker_id not in agreed))
    refusal = f"{refused[0].worker_id}: {refused[0].detail or 'refused'}" if refused else ""
    return Agreement(agreed, missing, refusal, len(agreed) >= at_least)


@dataclass(frozen=True)
class VersionFacts:
    """What is known of a version when somebody wants to deploy it."""

    version: int
    status: str
    stable: bool = False
    quarantined: str | None = None
    judged_against: int | None = None
    """The champion it was compared with; None: there was none."""


def promotion_refused(candidate: VersionFacts, champion: int | None, *, forced: bool) -> str:
    """Why it may not be promoted; empty when it may. Force skips the gates' verdict, never a quarantine."""
    if candidate.quarantined is not None:
        return f"version {candidate.version} is quarantined: {candidate.quarantined}"
    if forced:
        return ""
    if candidate.status != "approved":
        return f"version {candidate.version} is {candidate.status}, not approved by the gates (it may be forced, with a reason)"
    if candidate.judged_against != champion:
        before = "no champion" if candidate.judged_against is None else f"version {candidate.judged_against}"
        now = "there is none" if champion is None else f"version {champion} serves"
        return f"version {candidate.version} was compared with {before}, but now {now}: evaluate it again"
    return ""


def rollback_targets(versions: Sequence[VersionFacts], serving: int) -> list[int]:
    """Versions one may go back to, newest first: stable, not quarantined, not the one that serves."""
    return sorted((v.version for v in versions if v.stable and v.quarantined is None and v.version != serving), reverse=True)


def rollback_refused(target: VersionFacts | None, serving: int, *, forced: bool) -> str:
    """Why one may not go back to it; empty when one may. Force is for a version that never earned stable, never for a quarantined one."""
    if target is None:
        return "there is no such version"
    if target.quarantined is not None:
        return f"it is quarantined: {target.quarantined}"
    if target.version == serving:
        return "it serves already"
    if not target.stable and not forced:
        return "it never earned stable (going back to it may be forced, with a reason)"
    return ""


def bake_is_over(served_from: datetime, now: datetime, labelled: int, breached: bool) -> bool:
    """24 h of platform time and 200 labelled predictions, none of its windows degraded."""
    return not breached and now - served_from >= BAKE and labelled >= BAKE_LABELS


def wanted_aliases(champion: int | None, previous: int | None, challenger: int | None) -> dict[str, int]:
    wanted = {CHAMPION: champion, PREVIOUS: previous, CHALLENGER: challenger}
    return {alias: version for alias, version in wanted.items() if version is not None}


def alias_changes(present: Mapping[str, int], wanted: Mapping[str, int]) -> dict[str, int | None]:
    """What puts the three aliases right; aliases of other names are nobody's business here. None removes."""
    return {alias: wanted.get(alias) for alias in ALIASES if present.get(alias) != wanted.get(alias)}


@dataclass(frozen=True)
class ProjectedAliases:
    """What the registry's aliases may show without anybody else having touched them."""

    shown: Mapping[str, int]
    """As we last saw or left them."""
    writing: Mapping[str, int | None] = field(default_factory=dict)
    """What we had begun to write; None removes. Not empty after a crash in between."""


def moved_by_hand(present: Mapping[str, int], ours: ProjectedAliases | None, wanted: Mapping[str, int]) -> dict[str, tuple[int | None, int | None]]:
    """Alias -> (from, to) of those that show neither what we left, nor what we were writing, nor what they should. Nobody can tell before we
    looked for the first time."""
    if ours is None:
        return {}
    moved = {}
    for alias in ALIASES:
        found, before = present.get(alias), ours.shown.get(alias)
        if found not in (before, ours.writing.get(alias, before), wanted.get(alias)):
            moved[alias] = (before, found)
    return moved
