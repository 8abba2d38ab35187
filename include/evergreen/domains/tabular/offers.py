"""The home's declared models: a stranger's data set is a folder with a `spec.toml`, no code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evergreen.domains.tabular.folder import declared_models
from evergreen.domains.tabular.spec import tabular_dataset, tabular_spec
from evergreen.environment import models_folder
from evergreen.ports.domain import Offer

if TYPE_CHECKING:
    from evergreen.settings import Settings


def offers(settings: Settings) -> Sequence[Offer]:
    return [Offer(tabular_spec(declared), (tabular_dataset(declared),)) for declared in declared_models(models_folder(settings.home))]
