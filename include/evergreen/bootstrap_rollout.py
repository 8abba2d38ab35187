"""How a version comes to serve: deployment, canary, shadow trial; by the settings, and what a model wants otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.core.canary import CanaryRules
from evergreen.services.canary_step import CanaryStep
from evergreen.services.deploy import Deploy
from evergreen.services.shadow_trial import ShadowRules, ShadowTrialStep

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts
    from evergreen.settings_rollout import RolloutSettings


def rollout_of(parts: Parts, model: str) -> RolloutSettings:
    return parts.settings.rollout.model_copy(update=dict(parts.spec(model).rollout))


def deploy(parts: Parts) -> Deploy:
    def rules_of(model: str) -> CanaryRules:
        rollout = rollout_of(parts, model)
        return CanaryRules(rollout.canary_share, rollout.canary_seconds, rollout.canary_requests)

    serving = parts.settings.serving
    canary = CanaryStep(parts.store, parts.registry, rules_of, parts.clock.is_replaying)
    confirmations, seconds = serving.min_confirmations, serving.confirm_timeout_seconds
    return Deploy(parts.store, parts.clock, parts.carry_out, parts.projection, min_confirmations=confirmations, confirm_seconds=seconds, canary=canary)


def shadow_trials(parts: Parts) -> ShadowTrialStep:
    def rules_of(model: str) -> ShadowRules:
        rollout = rollout_of(parts, model)
        return ShadowRules(rollout.shadow_rows, rollout.shadow_hours)

    return ShadowTrialStep(parts.store, parts.clock, parts.carry_out, rules_of, parts.spec, parts.clock.is_replaying)
