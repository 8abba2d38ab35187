"""A replay driver on a running stack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evergreen.bootstrap import Parts
    from evergreen.domains.tabular.declared import Declared
    from evergreen.ports.app import DomainApp, PredictionApp
    from evergreen.services.announce import Announce
    from evergreen.services.replay import Replay


def announcer(parts: Parts) -> Announce:
    from evergreen.services.announce import Announce

    return Announce(parts.publisher, parts.clock, parts.settings.home / "data" / "inbox")


@contextmanager
def replay_rows(parts: Parts, declared: Declared, *, app: bool = True) -> Iterator[Replay]:
    """Of a declared model. `app`: also play the application that asks for predictions and tells what came true."""
    from evergreen.adapters.tabular_client import TabularClient
    from evergreen.domains.tabular.app import TabularApp

    entity = declared.entity.name
    with TabularClient(parts.settings.serving.url, parts.access.own_token("replay"), declared.name, entity) as client:
        yield _driver(parts, declared.dataset, TabularApp(declared), client if app else None)


@contextmanager
def replay(parts: Parts, region: str, *, app: bool = True) -> Iterator[Replay]:
    """`app`: also play the application, against the stack's serving."""
    from evergreen.adapters.serving_client import ServingClient
    from evergreen.domains.videos.app import TrendingApp

    with ServingClient(parts.settings.serving.url, parts.access.own_token("replay")) as client:
        yield _driver(parts, f"videos.{region}", TrendingApp(), client if app else None)


@contextmanager
def replay_movies(parts: Parts, *, app: bool = True) -> Iterator[Replay]:
    """`app`: also tell serving each rating as the live interaction it was."""
    from evergreen.adapters.interactions_client import InteractionsClient
    from evergreen.domains.movies.app import MovieApp
    from evergreen.domains.movies.names import DATASET

    with InteractionsClient(parts.settings.serving.url, parts.access.own_token("replay")) as client:
        yield _driver(parts, DATASET, MovieApp(), client if app else None)


def _driver(parts: Parts, dataset: str, domain: DomainApp, app: PredictionApp | None) -> Replay:
    from evergreen.services.replay import Replay

    return Replay(clock=parts.clock, announce=announcer(parts), backlog=parts.quiescence.backlog, app=app, domain=domain, dataset=dataset)
