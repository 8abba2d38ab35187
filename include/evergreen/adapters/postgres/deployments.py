"""Tables `deployments`, `serving_workers`, `worker_acks` and `canary_tallies`, as a promotion or rollback sees them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import psycopg2.extensions
import psycopg2.extras

from evergreen.core.canary import CanaryTally
from evergreen.core.champion import WorkerView
from evergreen.ports.champions import DeploymentRow

_PLANNED = "id, model, version, previous_version, kind, status, epoch, action_id, forced, reason"
_COLUMNS = f"{_PLANNED}, required_workers, created_at, served_from, served_to, stable_from, error, canary_share, canary_from, canary_verdict"


class PostgresDeployments:
    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def open_of(self, model: str) -> DeploymentRow | None:
        rows = self._select("WHERE model = %s AND status IN ('preparing', 'canary', 'flipped') FOR UPDATE", (model,))
        return rows[0] if rows else None

    def get(self, deployment_id: UUID) -> DeploymentRow | None:
        rows = self._select("WHERE id = %s", (deployment_id,))
        return rows[0] if rows else None

    def history(self, model: str) -> list[DeploymentRow]:
        return self._select("WHERE model = %s ORDER BY created_at DESC", (model,))

    def start(self, row: DeploymentRow) -> None:
        values = {name: getattr(row, name) for name in _PLANNED.split(", ")}
        with self._connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO deployments ({_PLANNED}) VALUES ({', '.join(f'%({name})s' for name in values)})", values)

    def begin_canary(self, deployment_id: UUID, share: float) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "UPDATE deployments SET status = 'canary', canary_share = %s, canary_from = clock_timestamp() WHERE id = %s AND status = 'preparing'",
                (share, deployment_id),
            )

    def canary_tally(self, deployment_id: UUID) -> CanaryTally:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT asked, failed, late FROM canary_tallies WHERE deployment_id = %s", (deployment_id,))
            return sum((CanaryTally(*row) for row in cursor.fetchall()), CanaryTally())

    def end_canary(self, deployment_id: UUID, verdict: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("UPDATE deployments SET canary_verdict = %s WHERE id = %s", (verdict, deployment_id))

    def flipped(self, deployment_id: UUID, workers: Sequence[str], served_from: datetime) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """UPDATE deployments SET served_to = %(at)s
                   WHERE served_from IS NOT NULL AND served_to IS NULL AND id <> %(id)s AND model = (SELECT model FROM deployments WHERE id = %(id)s)""",
                {"id": deployment_id, "at": served_from},
            )
            cursor.execute(
                "UPDATE deployments SET status = 'flipped', flipped_at = clock_timestamp(), required_workers = %s, served_from = %s WHERE id = %s",
                (json.dumps(list(workers)), served_from, deployment_id),
            )

    def confirmed(self, deployment_id: UUID) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("UPDATE deployments SET status = 'confirmed', confirmed_at = clock_timestamp() WHERE id = %s", (deployment_id,))

    def closed(self, deployment_id: UUID, status: Literal["cancelled", "reverted"], error: str, served_to: datetime | None = None) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "UPDATE deployments SET status = %s, error = %s, served_to = coalesce(%s, served_to) WHERE id = %s", (status, error, served_to, deployment_id)
            )

    def mark_stable(self, deployment_id: UUID, since: datetime) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("UPDATE deployments SET stable_from = coalesce(stable_from, %s) WHERE id = %s", (since, deployment_id))

    def workers(self, deployment_id: UUID, live_seconds: float) -> list[WorkerView]:
        with self._connection.cursor() as cursor:
            cursor.execute(
                """SELECT w.worker_id, coalesce(array_agg(a.phase) FILTER (WHERE a.phase IS NOT NULL), '{}'),
                       coalesce(max(a.detail) FILTER (WHERE a.phase = 'refused'), '')
                   FROM serving_workers w LEFT JOIN worker_acks a ON a.worker_id = w.worker_id AND a.deployment_id = %s
                   WHERE w.state <> 'draining' AND w.heartbeat_at > clock_timestamp() - %s * interval '1 second'
                   GROUP BY w.worker_id ORDER BY w.worker_id""",
                (deployment_id, live_seconds),
            )
            return [WorkerView(worker, frozenset(phases), detail) for worker, phases, detail in cursor.fetchall()]

    def _select(self, where: str, values: tuple[object, ...]) -> list[DeploymentRow]:
        with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM deployments {where}", values)
            return [DeploymentRow(**{**found, "required_workers": tuple(found["required_workers"])}) for found in cursor.fetchall()]
