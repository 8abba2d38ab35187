"""The parts of the stack, in the order people read them."""

from __future__ import annotations

from collections.abc import Callable

from evergreen.core.errors import StackError
from evergreen.local_stack import airflow, guardian, kafka, mlflow, postgres, redis, workers
from evergreen.local_stack.jars import Progress
from evergreen.local_stack.part import Part, StackContext

Preparation = Callable[[StackContext, Progress], None]

PREPARATIONS: dict[str, Preparation] = {"kafka": kafka.prepare, "postgres": postgres.prepare, "redis": redis.prepare, "airflow-api": airflow.prepare}
"""What is made before the supervisor starts; each does nothing where it is done already."""
GROUPS = {"airflow": frozenset(airflow.COMPONENTS), "workers": frozenset(workers.WORKERS)}
HIDDEN = frozenset({guardian.NAME})
"""Keeps the stack running; nothing a person asks the state of."""


def build_parts(context: StackContext, only: frozenset[str] | None = None) -> list[Part]:
    """Every part that this home starts itself. `only`: names or groups (`airflow`, `workers`) to restrict it to."""
    wanted = None if only is None else frozenset().union(*(GROUPS.get(name, frozenset({name})) for name in only))
    builders: dict[str, Callable[[], list[Part]]] = {
        "kafka": lambda: [kafka.part(context)],
        "postgres": lambda: [postgres.part(context)],
        "redis": lambda: [redis.part(context)],
        "mlflow": lambda: [mlflow.part(context)],
        "airflow": lambda: airflow.parts(context),
        "workers": lambda: workers.worker_parts(context),
        "serving": lambda: workers.serving_parts(context),
        "dashboard": lambda: workers.dashboard_parts(context),
    }
    chosen = [name for name in builders if name not in context.external and (wanted is None or wanted & GROUPS.get(name, frozenset({name})))]
    parts = [part for name in chosen for part in builders[name]() if wanted is None or part.name in wanted]
    if wanted and (unknown := wanted - {part.name for part in parts} - context.external):
        raise StackError(f"no such part: {', '.join(sorted(unknown))}")
    return [*parts, guardian.part(context)]


def port_names(parts: list[Part]) -> set[str]:
    """The names in `ports.BASE` that these parts listen on."""
    names = {part.name for part in parts}
    return names | ({"kafka-controller"} if "kafka" in names else set())
