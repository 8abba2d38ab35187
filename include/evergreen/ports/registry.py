"""Where versions live: runs, signed artifacts, aliases. The registry numbers versions; who serves is decided in Postgres (`champions`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.ports.model import FittedModel, Heads, ModelSpec, Predictor, Scoring


@dataclass(frozen=True)
class GoldenRows:
    """Feature rows with what the trained model predicted for them before it was saved: a loaded copy must say the same. None = NaN."""

    columns: Sequence[str]
    rows: Sequence[Sequence[float | None]]
    predicted: Sequence[float]


@dataclass(frozen=True)
class SearchTrial:
    """Settings that were tried on the way to a version."""

    number: int
    params: Mapping[str, float]
    """Empty: the model's own settings."""
    loss: float | None
    """On the validation window; None: it gave no number."""
    seconds: float
    chosen: bool = False


@dataclass(frozen=True)
class NewVersion:
    """A trained candidate on its way into the registry."""

    action_id: str
    """Its key: registered twice under one action id it is one version."""
    spec: ModelSpec
    fitted: FittedModel
    example: pd.DataFrame
    """Feature rows of the training window: signature, input example and golden rows are made from it."""
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    summary: Mapping[str, Any]
    """What the one who registers wants back when a repeated step finds the version. JSON."""
    trials: Sequence[SearchTrial] = ()
    """Kept beside its run, each as a run of its own."""


@dataclass(frozen=True)
class RegisteredVersion:
    model: str
    version: int
    run_id: str
    uri: str
    summary: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.model}@{self.version}"


@dataclass(frozen=True)
class LoadedVersion:
    """A verified version, ready to predict."""

    predictor: Predictor
    card: Mapping[str, Any]
    golden: GoldenRows | None
    size_bytes: int


@dataclass(frozen=True)
class CompiledVersion:
    """A verified version in its fast form: no scikit-learn behind it, the same answers (compared with the pipelines when it was made)."""

    heads: Heads
    score: Scoring
    """Primary head: rows of the spec's features (n, k), or of all its columns, -> (n,)."""
    card: Mapping[str, Any]
    golden: GoldenRows | None


class ModelRegistry(Protocol):
    def find(self, model: str, action_id: str) -> RegisteredVersion | None:
        """The complete version an action registered. None also when a crash left it half done: `register` finishes that one."""

    def register(self, new: NewVersion) -> RegisteredVersion:
        """Idempotent by action id: a repeat after a crash at any line finishes what is there and makes no second version.
        Raises Unavailable when the registry does not answer."""

    def load(self, spec: ModelSpec, version: int) -> LoadedVersion:
        """Fetched (cached on disk) and verified. Raises NotFound, Unavailable, ArtifactRefused."""

    def compiled(self, spec: ModelSpec, version: int) -> CompiledVersion:
        """Compiled in a child process the first time, from this disk ever after. Raises NotCompilable, and like `probe`."""

    def probe(self, spec: ModelSpec, version: int) -> Mapping[str, float]:
        """Verify it, then load and compile it in a child process with bounded memory and time. Returns `seconds`, `peak_mb` and, where there is a
        compiled form, `parity`: its largest difference to the pipeline. Raises like `load`; a child that dies or overruns its bounds is ArtifactRefused."""

    def verify(self, model: str, version: int) -> None:
        """Compare what the registry holds now with what was signed, the MLflow model beside it too; builds nothing. Raises NotFound, Unavailable,
        ArtifactRefused."""

    def vet(self, spec: ModelSpec, version: int) -> None:
        """Verify it, load it in a child process with bounded memory and time and ask it for the features serving sends, as the gates `schema` and
        `predictions` do. Raises like `probe`, with what is wrong."""

    def annotate(self, model: str, version: int, tags: Mapping[str, str]) -> None:
        """Tags on the registered version; the same again changes nothing."""

    def attach(self, run_id: str, name: str, body: bytes, content_type: str) -> None:
        """A file beside the run (a score card, a report); the same name is replaced."""

    def aliases(self, model: str) -> Mapping[str, int]: ...

    def set_aliases(self, model: str, change: Mapping[str, int | None]) -> None:
        """Point each alias to its version; None removes it."""

    def run_url(self, model: str, run_id: str) -> str:
        """Where a browser finds the run."""

    def version_url(self, model: str, version: int) -> str: ...
