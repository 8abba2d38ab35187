"""How a version comes to serve: deployment, canary, shadow trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.core.canary import CanaryRules
from evergreen.services.canary_step import CanaryStep
from evergreen.services.deploy import Deploy
from evergreen.services.shadow_trial import ShadowRules, ShadowTrialStep

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts


def deploy(parts: Parts) -> Deploy:
    serving, rollout = parts.settings.serving, parts.settings.rollout
    rules = CanaryRules(rollout.canary_share, rollout.canary_seconds, rollout.canary_requests)
    canary = CanaryStep(parts.store, parts.registry, rules, parts.clock.is_replaying)
    confirmations, seconds = serving.min_confirmations, serving.confirm_timeout_seconds
    return Deploy(parts.store, parts.clock, parts.carry_out, parts.projection, min_confirmations=confirmations, confirm_seconds=seconds, canary=canary)


def shadow_trials(parts: Parts) -> ShadowTrialStep:
    rollout = parts.settings.rollout
    rules = ShadowRules(rollout.shadow_rows, rollout.shadow_hours)
    return ShadowTrialStep(parts.store, parts.clock, parts.carry_out, rules, parts.spec, parts.clock.is_replaying)
