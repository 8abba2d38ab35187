"""The error tree. Adapters translate foreign errors into these in one place; doors map them to answers and exit codes."""

from __future__ import annotations

from evergreen.contracts.errors import EvergreenError, InvalidEvent

__all__ = [
    "ArtifactRefused",
    "CanaryFailed",
    "ChampionConflict",
    "DataRejected",
    "DeploymentRefused",
    "EvergreenError",
    "Fenced",
    "Gone",
    "InvalidEvent",
    "InvalidPolicy",
    "InvalidRequest",
    "KeyReused",
    "NoChampion",
    "NotConfirmed",
    "NotEnoughData",
    "NotFound",
    "NotReady",
    "PublishFailed",
    "SpecRefused",
    "StackError",
    "TooLarge",
    "TooMany",
    "Unavailable",
    "UnsafeSettings",
    "UnsupportedMedia",
    "WrongCredentials",
]


class UnsafeSettings(EvergreenError, ValueError):
    """A setting that is not safe outside development."""


class CanaryFailed(EvergreenError):
    """A candidate that is tried out has no answer; the champion's is given instead."""


class InvalidPolicy(EvergreenError):
    """A policy file with a mistake, named by line; the running policy stays."""


class SpecRefused(EvergreenError):
    """A model's spec file with a mistake, named by line with its remedy; other models are not concerned."""


class PublishFailed(EvergreenError):
    """Kafka did not acknowledge in time; nothing may be assumed about the event, publish it again with the same id."""


class Unavailable(EvergreenError):
    """A part (Postgres, Redis, MLflow, Kafka) does not answer; trying again later may help.

    `inside`: addresses and words of libraries, for logs and terminals; `said` is the rest, for callers from outside."""

    def __init__(self, said: str = "", *, inside: str = "") -> None:
        super().__init__(f"{said}: {inside}" if inside else said)
        self.said = said


class NoChampion(Unavailable):
    """No version of the model serves (yet)."""


class InvalidRequest(EvergreenError):
    """What a caller sent cannot be used; the message says which part and why."""


class KeyReused(EvergreenError):
    """An idempotency key came again with other content."""


class SecretGivenOut(EvergreenError):
    """It was made under this idempotency key before, and its secret was told then, that once."""


class TooLarge(EvergreenError):
    """More was sent than is taken at once; the message says the limit."""


class UnsupportedMedia(EvergreenError):
    """A body of a type that is not read; the message says which are."""


class NotReady(EvergreenError):
    """The thing exists, what is asked of it does not (yet); the message says why."""


class Gone(EvergreenError):
    """It was there and was removed."""


class TooMany(EvergreenError):
    """The caller has as many of these under way as are allowed; later there is room again."""


class WrongCredentials(EvergreenError):
    """A name and a secret that do not belong together, for whatever reason: not more is said."""

    def __init__(self) -> None:
        super().__init__("the name or its secret is wrong")


class Fenced(EvergreenError):
    """The action's lease went to another run: this run's effects are refused."""


class NotFound(EvergreenError):
    """The named thing does not exist."""


class DataRejected(EvergreenError):
    """A batch or file that cannot be read at all (half a file, wrong schema); the message names file and cause."""


class NotEnoughData(EvergreenError):
    """Too few rows for the step; the message says how many there are and how many are needed."""


class ArtifactRefused(EvergreenError):
    """A model artifact that failed verification; no code of it was run."""


class ChampionConflict(EvergreenError):
    """Another promotion or rollback changed the champion first (compare-and-set lost)."""


class DeploymentRefused(EvergreenError):
    """The version may not serve: not approved, quarantined, compared with another champion, or there is nothing to go back to."""


class NotConfirmed(EvergreenError):
    """The serving workers did not confirm in time; the change was undone."""


class StackError(EvergreenError):
    """The local stack cannot do what was asked; the message names the failing part and the remedy."""


class NotCompilable(EvergreenError):
    """A model that has no compiled form: its pipeline answers, slower."""


class NotExact(NotCompilable):
    """A compiled form was made and does not say what its pipeline says."""

    def __init__(self, head: str, difference: float) -> None:
        super().__init__(f"{head}: the compiled form differs from its pipeline by up to {difference:.3g}")
        self.difference = difference
