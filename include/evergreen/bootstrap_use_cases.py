"""What carries out an action of each kind a DAG runs. Each is built when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from evergreen.contracts.actions import ActionKind
from evergreen.core.errors import NotFound

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts
    from evergreen.ports.storage import ClaimedAction
    from evergreen.services.model_work import ModelWork

UseCase = Callable[["ClaimedAction"], Mapping[str, Any]]


def use_case(parts: Parts, kind: ActionKind) -> UseCase:
    """Raises NotFound for a kind no DAG carries out."""
    if kind not in _MAKERS:
        raise NotFound(f"no use case carries out {kind}")
    return _MAKERS[kind](parts)


def _work(parts: Parts) -> ModelWork:
    from evergreen.services.model_work import ModelWork

    return ModelWork(parts.store, parts.clock, parts.carry_out, parts.registry, parts.lake, parts.spec)


def _ingest(parts: Parts) -> UseCase:
    from evergreen.services.ingest import Ingest

    return Ingest(parts.store, parts.lake, parts.carry_out, parts.clock, parts.datasets).run


def _drift_check(parts: Parts) -> UseCase:
    from evergreen.services.check_drift import CheckDrift

    return CheckDrift(parts.store, parts.clock, parts.carry_out, parts.lake, parts.spec, parts.registry.load, parts.drift_pictures).run


def _maintenance(parts: Parts) -> UseCase:
    from evergreen.services.maintain import Maintenance

    return Maintenance(parts.store, parts.clock, parts.carry_out, parts.lake, parts.clock.is_replaying, tidy_jobs=parts.jobs.tidy.run).run


def _retrain(parts: Parts) -> UseCase:
    from evergreen.services.retrain import Retrain

    train = Retrain(_work(parts)).run
    return lambda claimed: (_adopt(parts) if "candidate" in claimed.action.params else train)(claimed)


def _adopt(parts: Parts) -> UseCase:
    from evergreen.adapters.submitted_models import MlflowSubmittedModels
    from evergreen.services.adopt import Adopt

    submitted = MlflowSubmittedModels(parts.settings.mlflow.tracking_uri, parts.settings.home)
    return Adopt(_work(parts), submitted).run


def _evaluate(parts: Parts) -> UseCase:
    from evergreen.services.evaluate import Evaluate
    from evergreen.services.experiments import RecordedExperiments

    experiments = RecordedExperiments(parts.store)
    return Evaluate(_work(parts), experiments, parts.shadow_trials).run


def _promote(parts: Parts) -> UseCase:
    from evergreen.services.promote import Promote

    return Promote(parts.deploy).run


def _rollback(parts: Parts) -> UseCase:
    from evergreen.services.rollback import Rollback

    return Rollback(parts.store, parts.registry, parts.deploy, parts.spec).run


def _performance_check(parts: Parts) -> UseCase:
    return parts.check_performance.run


_MAKERS: Mapping[ActionKind, Callable[[Parts], UseCase]] = {
    ActionKind.INGEST: _ingest,
    ActionKind.DRIFT_CHECK: _drift_check,
    ActionKind.MAINTENANCE: _maintenance,
    ActionKind.PERFORMANCE_CHECK: _performance_check,
    ActionKind.RETRAIN: _retrain,
    ActionKind.EVALUATE: _evaluate,
    ActionKind.PROMOTE: _promote,
    ActionKind.ROLLBACK: _rollback,
}
