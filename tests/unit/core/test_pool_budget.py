from __future__ import annotations

import pytest

from evergreen.core.errors import UnsafeSettings
from evergreen.core.pool_budget import Share, check_budget, share


@pytest.mark.parametrize(
    ("workers", "own"),
    [pytest.param(1, Share(20, 50), id="one"), pytest.param(4, Share(5, 12), id="four"), pytest.param(40, Share(1, 1), id="more-than-connections")],
)
def test_a_deployments_pool_is_shared_out_over_its_workers(workers: int, own: Share) -> None:
    assert share(20, 30, workers) == own


def test_what_fits_is_let_be() -> None:
    check_budget(20, 30, 4, reserve=80, max_connections=200)


def test_what_does_not_fit_is_refused_with_the_settings_that_would_make_it_fit() -> None:
    with pytest.raises(
        UnsafeSettings, match=r"4 serving workers may hold 204 .* takes 200 and 80 .*POOL__SIZE=100.*POOL__OVERFLOW=100.*MAX_WORKERS=4.*RESERVE=80"
    ):
        check_budget(100, 100, 4, reserve=80, max_connections=200)
