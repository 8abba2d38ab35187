"""The parts of this process: built at the first use, so that parsing a DAG file costs nothing but its imports."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from evergreen.settings import load_settings

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts


@cache
def parts() -> Parts:
    from evergreen.bootstrap import Parts

    return Parts(load_settings())
