"""Tables `champions`, `deployments`, `serving_workers`, `worker_acks`, `canary_tallies`, `cache_generations`, `experiments`, as one worker sees them.

Guarantee: an acknowledgement is written only while what it speaks of is still so: condition and insert are one statement. Failure: a worker
that was stopped for a minute wakes up and goes on where it was. Remedy: its statement finds a closed deployment or another epoch and
writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from evergreen.adapters.async_postgres import AsyncPostgres
from evergreen.core.canary import CanaryTally
from evergreen.core.clock import ClockReading
from evergreen.core.experiment import Experiment, variants_from
from evergreen.ports.serving import Beat, ChampionNow, Fleet, Preparing

CHANNEL = "champion"
FORGET_AFTER = "1 day"
_CHAMPIONS = """
SELECT c.model, c.version, c.epoch, c.deployment_id,
       coalesce((SELECT t.version FROM shadow_trials t WHERE t.model = c.model AND t.champion = c.version AND t.ended_time IS NULL
                 ORDER BY t.started_time DESC, t.version DESC LIMIT 1),
                CASE WHEN d.kind = 'promote' AND d.status IN ('flipped', 'confirmed') AND d.stable_from IS NULL THEN d.previous_version END
       ) AS shadow_version
FROM champions c LEFT JOIN deployments d ON d.id = c.deployment_id
WHERE c.model = ANY($1)
"""
_PREPARING = """
SELECT id, model, version, CASE WHEN status = 'canary' THEN canary_share ELSE 0 END AS share
FROM deployments WHERE status IN ('preparing', 'canary') AND model = ANY($1)
"""
_EXPERIMENTS = "SELECT name, model, variants, share FROM experiments WHERE status = 'running' AND model = ANY($1)"
_BEAT = """
INSERT INTO serving_workers (worker_id, pid, state, serving) VALUES ($1, $2, $3, $4)
ON CONFLICT (worker_id) DO UPDATE SET heartbeat_at = clock_timestamp(), state = excluded.state, serving = excluded.serving
"""
_PREPARED = """
INSERT INTO worker_acks (worker_id, deployment_id, phase) SELECT $1, $2, 'prepared'
WHERE EXISTS (SELECT FROM deployments WHERE id = $2 AND status IN ('preparing', 'canary')) ON CONFLICT DO NOTHING
"""
_SERVING = """
INSERT INTO worker_acks (worker_id, deployment_id, phase) SELECT $1, $2, 'serving'
WHERE EXISTS (SELECT FROM champions WHERE model = $3 AND epoch = $4 AND deployment_id = $2) ON CONFLICT DO NOTHING
"""
_REFUSED = """
INSERT INTO worker_acks (worker_id, deployment_id, phase, detail) SELECT $1, $2, 'refused', $3
WHERE EXISTS (SELECT FROM deployments WHERE id = $2 AND status IN ('preparing', 'canary', 'flipped')) ON CONFLICT DO NOTHING
"""
_CANARY = """
INSERT INTO canary_tallies (deployment_id, worker_id, asked, failed, late) SELECT $1, $2, $3, $4, $5
WHERE EXISTS (SELECT FROM deployments WHERE id = $1 AND status = 'canary')
ON CONFLICT (deployment_id, worker_id) DO UPDATE SET asked = excluded.asked, failed = excluded.failed, late = excluded.late
"""


class PostgresFleet:
    def __init__(self, postgres: AsyncPostgres, models: Sequence[str]) -> None:
        self._postgres = postgres
        self._models = list(models)

    async def look(self) -> Fleet:
        champions = await self._postgres.fetch(_CHAMPIONS, self._models)
        preparing = await self._postgres.fetch(_PREPARING, self._models)
        clock = await self._postgres.fetch_row("SELECT mode, base, set_at, rate, epoch FROM platform_clock")
        generations = await self._postgres.fetch("SELECT kind, generation FROM cache_generations")
        experiments = await self._postgres.fetch(_EXPERIMENTS, self._models)
        return Fleet(
            champions=[ChampionNow(**row) for row in champions],
            preparing=[Preparing(row["id"], row["model"], row["version"], row["share"]) for row in preparing],
            clock=None if clock is None else ClockReading(**clock),
            generations={row["kind"]: row["generation"] for row in generations},
            experiments=[Experiment(row["name"], row["model"], variants_from(row["variants"]), row["share"]) for row in experiments],
        )

    async def beat(self, beat: Beat) -> None:
        await self._postgres.execute(_BEAT, beat.worker_id, beat.pid, beat.state, dict(beat.serving))

    async def forget_the_dead(self) -> None:
        await self._postgres.execute(f"DELETE FROM serving_workers WHERE heartbeat_at < clock_timestamp() - interval '{FORGET_AFTER}'")

    async def acknowledge_prepared(self, worker_id: str, deployment_id: UUID) -> bool:
        return await self._postgres.execute(_PREPARED, worker_id, deployment_id) == 1

    async def acknowledge_serving(self, worker_id: str, champion: ChampionNow) -> bool:
        return await self._postgres.execute(_SERVING, worker_id, champion.deployment_id, champion.model, champion.epoch) == 1

    async def refuse(self, worker_id: str, deployment_id: UUID, reason: str) -> bool:
        return await self._postgres.execute(_REFUSED, worker_id, deployment_id, reason[:500]) == 1

    async def report_canary(self, worker_id: str, deployment_id: UUID, tally: CanaryTally) -> bool:
        return await self._postgres.execute(_CANARY, deployment_id, worker_id, tally.asked, tally.failed, tally.late) == 1

    async def listen(self, heard: Callable[[], None]) -> None:
        await self._postgres.listen(CHANNEL, heard)
