"""Which models there are: every package below `evergreen.domains` with a module `offers` brings its own."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import structlog

from evergreen import domains
from evergreen.ports.domain import Offer

if TYPE_CHECKING:
    from evergreen.settings import Settings

_ORDER = {"videos": 0, "tabular": 2}
"""The first is what forms offer first. What is declared comes after what is programmed: a name of the latter is taken."""
log = structlog.get_logger(__name__)


def offers(settings: Settings) -> Sequence[Offer]:
    """Each name once. Light: no domain imports pandas or scikit-learn to say what it offers."""
    found: dict[str, Offer] = {}
    for package in sorted((one.name for one in pkgutil.iter_modules(domains.__path__) if one.ispkg), key=lambda name: (_ORDER.get(name, 1), name)):
        module = f"{domains.__name__}.{package}.offers"
        for offer in import_module(module).offers(settings) if find_spec(module) else ():
            if offer.spec.name in found:
                log.error("model_left_out", model=offer.spec.name, reason="the name is taken")
            else:
                found[offer.spec.name] = offer
    return list(found.values())
