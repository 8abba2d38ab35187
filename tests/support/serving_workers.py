"""Serving workers as the tables see them: heartbeats, acknowledgements, the champion they answer with. They load nothing."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field

from evergreen.adapters.postgres.store import PostgresStore


@dataclass
class Worker:
    """One worker and how it behaves."""

    id: str
    refuses: bool = False
    """Says at the preparation that the artifact is not fit."""
    prepares: bool = True
    serves: bool = True
    """Says that it answers with the new champion."""
    alive: bool = True
    state: str = "ready"
    epochs: list[int] = field(default_factory=list)


class ServingWorkers:
    """A thread that plays them. `with ServingWorkers(store, [Worker("a"), …]):`"""

    def __init__(self, store: PostgresStore, workers: list[Worker], *, every_seconds: float = 0.03) -> None:
        self._store = store
        self._every_seconds = every_seconds
        self.workers = workers
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> ServingWorkers:
        self._beat()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stop.wait(self._every_seconds):
            self._beat()

    def _beat(self) -> None:
        alive = [worker for worker in self.workers if worker.alive]  # once: a test adds one while this goes round
        with self._store.transaction() as tx, tx.connection.cursor() as cursor:
            for worker in alive:
                cursor.execute(
                    """INSERT INTO serving_workers (worker_id, pid, state) VALUES (%s, 1, %s)
                       ON CONFLICT (worker_id) DO UPDATE SET heartbeat_at = clock_timestamp(), state = excluded.state""",
                    (worker.id, worker.state),
                )
            cursor.execute("SELECT id FROM deployments WHERE status = 'preparing'")
            preparing = [row[0] for row in cursor.fetchall()]
            cursor.execute("SELECT deployment_id, model, version, epoch FROM champions")
            champions = cursor.fetchall()
            for worker in alive:
                for deployment in preparing:
                    if worker.refuses or worker.prepares:
                        self._say(cursor, worker, deployment, "refused" if worker.refuses else "prepared")
                for deployment, model, version, epoch in champions:
                    if worker.serves:
                        self._say(cursor, worker, deployment, "serving")
                        if not worker.epochs or worker.epochs[-1] != epoch:
                            worker.epochs.append(epoch)
                        told = json.dumps({model: {"version": version, "epoch": epoch}})
                        cursor.execute("UPDATE serving_workers SET serving = %s WHERE worker_id = %s", (told, worker.id))

    def _say(self, cursor: object, worker: Worker, deployment: object, phase: str) -> None:
        detail = "primary.skops: its SHA-256 is not the manifest's" if phase == "refused" else ""
        cursor.execute(  # type: ignore[attr-defined]
            "INSERT INTO worker_acks (worker_id, deployment_id, phase, detail) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (worker.id, deployment, phase, detail),
        )
