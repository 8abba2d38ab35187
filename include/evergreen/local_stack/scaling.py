"""Which scaler this home uses. Here, above the adapters, since one of them is the local stack itself."""

from __future__ import annotations

from collections.abc import Mapping

from evergreen.core.errors import InvalidRequest
from evergreen.core.scaling import Bounds
from evergreen.ports.scaler import Scale, Scaler, bounds_of
from evergreen.settings import Settings


def scaled_services(settings: Settings) -> Mapping[str, Bounds]:
    """By this home's own supervisor; elsewhere serving alone."""
    found = {"serving": Bounds(settings.serving.min_workers, settings.serving.max_workers)}
    if settings.scaler.kind in ("local", "none"):
        found["recommender"] = Bounds(settings.recommender.min_workers, settings.recommender.max_workers)
    return found


def scaler(settings: Settings) -> Scaler:
    """As `EVERGREEN_SCALER__KIND` says."""
    scaled = scaled_services(settings)
    match settings.scaler.kind:
        case "local":
            from evergreen.local_stack.home import Home
            from evergreen.local_stack.scaler import LocalScaler

            return LocalScaler(Home(settings.home), scaled)
        case "kubernetes":
            from evergreen.adapters.kubernetes_scaler import KubernetesScaler

            return KubernetesScaler(settings.scaler, scaled)
        case "compose":
            from evergreen.adapters.compose_scaler import ComposeScaler

            return ComposeScaler(settings.scaler, scaled)
        case "none":
            return NoScaler(scaled)


class NoScaler:
    """For a platform where something else, or nobody, starts workers."""

    def __init__(self, scaled: Mapping[str, Bounds]) -> None:
        self._scaled = scaled

    def current(self, service: str) -> Scale:
        bounds_of(service, self._scaled)
        raise InvalidRequest(f"nothing here starts or stops workers of {service}; EVERGREEN_SCALER__KIND says what does (local, kubernetes or compose)")

    def set(self, service: str, number: int) -> None:
        self.current(service)
