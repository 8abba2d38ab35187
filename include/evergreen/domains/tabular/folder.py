"""The models of a home: each folder below `models/` with a `spec.toml`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import structlog

from evergreen.core.errors import NotFound, SpecRefused
from evergreen.domains.tabular.declared import FILE, Declared
from evergreen.domains.tabular.spec_file import read_spec

log = structlog.get_logger(__name__)


def declared_models(folder: Path) -> Iterator[Declared]:
    """In the order of their names. Failure: a spec with a mistake. Remedy: it is left out and logged; the others work, and `evergreen new-model
    NAME --check` says what is wrong."""
    for file in sorted(folder.glob(f"*/{FILE}")):
        try:
            yield read_spec(file)
        except SpecRefused as error:
            log.error("model_left_out", model=file.parent.name, reason=str(error))


def declared_model(folder: Path, name: str) -> Declared:
    """Raises NotFound, SpecRefused."""
    known = sorted(file.parent.name for file in folder.glob(f"*/{FILE}"))
    if name not in known:  # also what is no plain name: `../x` is not among them
        raise NotFound(f"no model {name!r} in {folder}; there {'are ' + ', '.join(known) if known else 'is none: make one with `evergreen new-model NAME`'}")
    return read_spec(folder / name / FILE)
