"""The monitor's own metrics: the control loop in numbers, a closed list. Read from a snapshot the leader takes; a copy that does not lead
shows what it last knew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from evergreen.ports.monitoring import LedgerFigures, LoopFigures
from evergreen.services.snapshot import Snapshot

Values = Iterable[tuple[tuple[str, ...], float]]

METRICS: dict[str, tuple[str, tuple[str, ...]]] = {
    # 0 while a part fails its probes: see docs/guides/monitoring.md for what to do about each.
    "evergreen_part_up": ("Whether a part does its work", ("service",)),
    # Control events recorded; a type that stops coming means that its source or intake is ill.
    "evergreen_events_last_day": ("Control events of the last day by type", ("type",)),
    # What the policy answered; many that a guard stopped: look at `evergreen explain`.
    "evergreen_decisions_last_day": ("Decisions of the last day by outcome", ("outcome",)),
    "evergreen_answers_newest": ("Answers of the newest thousand decisions by action and outcome", ("action", "outcome")),
    # One guard that stops most of what is asked: its setting, or whoever asks, wants a look.
    "evergreen_stopped_newest": ("What a guard stopped or put off, among the newest thousand decisions", ("guard",)),
    "evergreen_actions_last_day": ("Actions accepted in the last day", ("kind", "status")),
    # Goal: at least 0.95.
    "evergreen_action_success_ratio": ("Share of finished actions of the last day that succeeded", ()),
    # Rising: the consumer is too slow or gone.
    "evergreen_consumer_lag": ("Messages a consumer group has not taken yet", ("group",)),
    # Rising: Kafka is away, or no intake worker relays.
    "evergreen_outbox_unsent": ("Outbox rows that wait for the relay", ()),
    "evergreen_outbox_oldest_seconds": ("Age of the oldest of them", ()),
    # Above 0: `evergreen dlq list`.
    "evergreen_dead_letters": ("Dead letters that were not sent back", ()),
    # Bounds: received within a second of production, decided within 100 ms of receipt.
    "evergreen_hop_p99_seconds": ("p99 of a hop over the newest thousand events", ("hop",)),
    # 30 for two hours after a `monitor` action, else 300.
    "evergreen_check_every_seconds": ("How often a model's performance is looked at", ("model",)),
    # What retrains cost and were worth; realised above 0: they made the error larger, look at `evergreen models ledger`.
    "evergreen_ledger_retrains": ("Versions a model has had", ("model",)),
    "evergreen_ledger_cost_seconds": ("Seconds their training took", ("model",)),
    "evergreen_ledger_closed": ("Those whose worth is known", ("model",)),
    "evergreen_ledger_realised": ("Mean relative change of the error they brought, below 0 is better", ("model",)),
    "evergreen_ledger_avoided_loss": ("Loss they avoided, summed over labelled predictions, in the metric's units", ("model",)),
    # Above 0: Postgres is away, and what the monitor found waits in its memory.
    "evergreen_monitor_changes_waiting": ("Changes that are not recorded yet", ()),
}


def _values(snapshot: Snapshot) -> dict[str, Values]:
    figures = snapshot.figures
    hops = {"receive": figures.receive_p99, "decide": figures.decide_p99}
    ratio = success_ratio(figures)
    return {
        "evergreen_part_up": [((name,), float(not health.failing)) for name, health in snapshot.states.items() if health.failing is not None],
        "evergreen_events_last_day": [((name,), count) for name, count in figures.events.items()],
        "evergreen_decisions_last_day": [((name,), count) for name, count in figures.decisions.items()],
        "evergreen_answers_newest": [(pair, count) for pair, count in figures.answers.items()],
        "evergreen_stopped_newest": [((guard,), count) for guard, count in figures.stopped.items()],
        "evergreen_actions_last_day": [(pair, count) for pair, count in figures.actions.items()],
        "evergreen_action_success_ratio": [] if ratio is None else [((), ratio)],
        "evergreen_consumer_lag": [((group,), count) for group, count in snapshot.behind.items()],
        "evergreen_outbox_unsent": [((), figures.unsent)],
        "evergreen_outbox_oldest_seconds": [((), figures.oldest_unsent.total_seconds())],
        "evergreen_dead_letters": [((), figures.dead_letters)],
        "evergreen_hop_p99_seconds": [((hop,), seconds) for hop, seconds in hops.items() if seconds is not None],
        "evergreen_check_every_seconds": [((model,), every.total_seconds()) for model, every in snapshot.every.items()],
        "evergreen_monitor_changes_waiting": [((), snapshot.waiting)],
        **_ledger(figures.ledger),
    }


def _ledger(models: Mapping[str, LedgerFigures]) -> dict[str, Values]:
    return {
        "evergreen_ledger_retrains": [((model,), found.retrains) for model, found in models.items()],
        "evergreen_ledger_cost_seconds": [((model,), found.cost_seconds) for model, found in models.items()],
        "evergreen_ledger_closed": [((model,), found.closed) for model, found in models.items()],
        "evergreen_ledger_realised": [((model,), found.realised) for model, found in models.items() if found.realised is not None],
        "evergreen_ledger_avoided_loss": [((model,), found.avoided) for model, found in models.items()],
    }


def success_ratio(figures: LoopFigures) -> float | None:
    done = {status: sum(count for (_, found), count in figures.actions.items() if found == status) for status in ("succeeded", "failed")}
    finished = sum(done.values())
    return done["succeeded"] / finished if finished else None


class _Shown(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, values in _values(self._snapshot).items():
            text, labels = METRICS[name]
            family = GaugeMetricFamily(name, text, labels=labels)
            for label_values, value in values:
                family.add_metric(label_values, value)
            yield family


def registry_of(snapshot: Snapshot) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Shown(snapshot))
    return registry


def serve_metrics(snapshot: Snapshot, host: str, port: int) -> None:
    """On a thread that ends with the process. Raises OSError when the port is taken."""
    start_http_server(port, addr=host, registry=registry_of(snapshot))
