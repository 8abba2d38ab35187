"""The drift check on stored profiles and gold rows, against real Postgres: what is read, what is kept, what losses and idle features lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from evergreen.adapters.evidently_report import EvidentlyReports
from evergreen.adapters.memory.registry import MemoryRegistry
from evergreen.adapters.policy_file import load_policy
from evergreen.adapters.postgres.store import PostgresStore
from evergreen.contracts.actions import ActionKind
from evergreen.core.clock import FixedClock
from evergreen.core.policy import decide
from evergreen.core.release import released_at
from evergreen.core.state import State
from evergreen.domains.tabular.spec import tabular_spec
from evergreen.domains.tabular.spec_file import parse_spec
from evergreen.domains.tabular.streams import FIRST_DAY, ONSET, Kind, stream
from evergreen.environment import CHECKOUT
from evergreen.ports.lake import Lake
from evergreen.ports.model import ModelSpec, Season
from evergreen.ports.registry import LoadedVersion
from evergreen.ports.versions import VersionRow
from evergreen.services.carry_out import CarryOut
from evergreen.services.check_drift import CheckDrift
from evergreen.services.drift_reference import DriftReference, Reference
from evergreen.services.model_work import ModelWork
from evergreen.services.retrain import Retrain
from evergreen.settings import Settings
from tests.support.claims import claimed, emptied, said
from tests.support.looks import looks
from tests.support.tiny import NAME, FrameLake, tiny_spec

pytestmark = pytest.mark.connected
INPUTS = ("x1", "x2", "x3", "x5", "x7", "c1")
WEIGHTS = {"x1": 0.3, "x2": 0.3, "x3": 0.2, "x5": 0.01, "x7": 0.01, "c1": 0.2}
TRAINED_TO = FIRST_DAY + timedelta(days=ONSET - 8)
WEEK = timedelta(days=7)
DECLARED = """
name = "stream"
kind = "regression"
season = "weekday"
[time]
column = "at"
name = "seen_at"
[target]
column = "y"
[entity]
column = "entity"
[numbers.x1]
[numbers.x2]
[categories.c1]
values = ["red", "blue", "green"]
"""
TABULAR = tabular_spec(parse_spec(DECLARED, folder="stream"))
SPEC = replace(tiny_spec(), drift_features=INPUTS, categorical_features=("c1",), gold="rows", build_features=lambda silver: silver)


@dataclass
class GoldLake:
    """A lake whose gold holds the rows; it remembers what was read of it."""

    rows: pd.DataFrame
    gold_to: date = date.max
    read: list[tuple[str, date | None, date | None]] = field(default_factory=list)

    def gold(self, dataset: str, table: str, *, first_day: date | None = None, last_day: date | None = None) -> pd.DataFrame:
        self.read.append((table, first_day, last_day))
        return self._between(first_day, min(last_day or date.max, self.gold_to))

    def silver(self, dataset: str, *, first_day: date | None = None, last_day: date | None = None) -> pd.DataFrame:
        self.read.append(("silver", first_day, last_day))
        return self._between(first_day, last_day)

    def set_aside(self, dataset: str) -> pd.DataFrame:
        return self.rows.iloc[:0]

    def _between(self, first: date | None, last: date | None) -> pd.DataFrame:
        days = self.rows["day"].dt.date
        chosen: pd.DataFrame = self.rows[(days >= (first or date.min)) & (days <= (last or date.max))]
        return chosen


class Says:
    """Predicts x1."""

    def predict(self, features: pd.DataFrame) -> Any:
        return features["x1"].to_numpy()


@dataclass
class Bench:
    store: PostgresStore
    lake: GoldLake
    pictures: EvidentlyReports
    clock: FixedClock
    spec: ModelSpec = SPEC

    def check(self, first: date, last: date) -> Mapping[str, Any]:
        loaded = LoadedVersion(Says(), {"importances": WEIGHTS}, None, 0)  # type: ignore[arg-type]
        lake, spec_of = cast(Lake, self.lake), lambda _: self.spec
        service = CheckDrift(self.store, self.clock, CarryOut(self.store, self.clock), lake, spec_of, lambda *_: loaded, self.pictures)
        params = {"dataset": "tiny.data", "windows": [{"first_day": str(first), "last_day": str(last)}]}
        return service.run(claimed(self.store, self.clock, ActionKind.DRIFT_CHECK, params, model=NAME, target=NAME))

    def events(self) -> Sequence[tuple[str, dict[str, Any]]]:
        return [(event.type, dict(event.data)) for event in said(self.store, "/airflow/drift_check")]


Made = Callable[..., Bench]
ONSET_DAY = FIRST_DAY + timedelta(days=ONSET)
FIRST_WEEK = (ONSET_DAY, ONSET_DAY + WEEK - timedelta(days=1))


@pytest.fixture
def bench_of(postgres_settings: Settings, tmp_path: Path) -> Iterator[Made]:
    store = emptied(PostgresStore(postgres_settings.postgres.dsn.get_secret_value()))
    clock = FixedClock(released_at(FIRST_DAY + timedelta(days=181)))
    with store.transaction() as tx, tx.connection.cursor() as cursor:
        tx.versions.insert(VersionRow(NAME, 1, None, "run-1", "uri", "bootstrap", FIRST_DAY, TRAINED_TO, 1300, clock.now()))
        cursor.execute("INSERT INTO champions (model, version, epoch, deployment_id, since) VALUES (%s, 1, 1, gen_random_uuid(), %s)", (NAME, clock.now()))
    yield lambda kind, **given: Bench(store, GoldLake(stream(kind, seed=3)[0], **given), EvidentlyReports(tmp_path, tmp_path), clock)
    store.close()


def test_the_training_rows_are_read_once_and_then_only_the_window(bench_of: Made):
    bench = bench_of(Kind.STATIONARY)
    assert bench.check(*FIRST_WEEK)["outcome"] == "calm"
    assert bench.lake.read == [("rows", *FIRST_WEEK), ("rows", FIRST_DAY, TRAINED_TO)]
    bench.lake.read.clear()
    later = FIRST_WEEK[0] + WEEK, FIRST_WEEK[1] + WEEK
    assert bench.check(*later)["outcome"] == "calm"
    assert bench.lake.read == [("rows", *later)]
    with bench.store.transaction() as tx:
        kept = tx.reference_profiles.get(NAME, 1)
        newer, older = tx.drift_reports.of_model(NAME, 2)
    assert kept is not None
    assert kept.n == older.features["reference"]["n"] > 1000
    assert older.features["cost"]["rows_read"] == kept.n + older.n
    assert (newer.features["cost"]["rows_read"], newer.features["cost"]["method"]) == (newer.n, "profile/1")
    assert newer.features["prediction"]["feature"] == "prediction"
    assert "trained on" in newer.features["notes"][0]  # of this version nobody knows what was said of unseen rows


def test_a_retrain_keeps_the_profile_with_its_version(bench_of: Made, tmp_path: Path):
    """What the first check would make is the same, so a version is as well off without."""
    bench, registry = bench_of(Kind.STATIONARY), MemoryRegistry(tmp_path)
    carry_out, lake = CarryOut(bench.store, bench.clock), FrameLake(bench.lake.rows)
    asked = claimed(bench.store, bench.clock, ActionKind.RETRAIN, {}, model=TABULAR.name, target=TABULAR.name)
    Retrain(ModelWork(bench.store, bench.clock, carry_out, registry, lake, lambda _: TABULAR)).run(asked)
    loaded, reference = registry.load(TABULAR, 1), DriftReference(bench.store, cast(Lake, lake))
    with bench.store.transaction() as tx, tx.connection.cursor() as cursor:
        row, kept = tx.versions.get(TABULAR.name, 1), tx.reference_profiles.get(TABULAR.name, 1)
        assert row is not None
        assert kept is not None
        assert reference.of(TABULAR, row, loaded, bench.clock.now()) == Reference(kept, 0)
        cursor.execute("DELETE FROM reference_profiles")
    made = reference.of(TABULAR, row, loaded, bench.clock.now())
    assert made == Reference(kept, row.trained_rows)
    assert kept.forward
    assert kept.season == "weekday of day"
    assert kept.prediction is not None
    assert 0.5 * kept.n < sum(kept.prediction.rows) < kept.n


def test_without_gold_the_rows_are_built_and_say_the_same(bench_of: Made):
    with_gold = bench_of(Kind.MIX_FLIP)
    told = with_gold.check(*FIRST_WEEK)["reports"]
    with with_gold.store.transaction() as tx, tx.connection.cursor() as cursor:
        cursor.execute("DELETE FROM drift_reports")
        cursor.execute("DELETE FROM reference_profiles")
    without = bench_of(Kind.MIX_FLIP, gold_to=date.min)
    assert without.check(*FIRST_WEEK)["reports"] == told
    assert {table for table, _, _ in without.lake.read} == {"rows", "silver"}


def test_a_profile_of_other_columns_is_made_again(bench_of: Made):
    bench = bench_of(Kind.STATIONARY)
    bench.check(*FIRST_WEEK)
    bench.spec = replace(SPEC, drift_features=(*INPUTS, "x6"), season=Season("weekday", "day"))
    bench.check(FIRST_WEEK[0] + WEEK, FIRST_WEEK[1] + WEEK)
    with bench.store.transaction() as tx:
        kept = tx.reference_profiles.get(NAME, 1)
    assert kept is not None
    assert set(kept.columns) == {*INPUTS, "x6"}
    assert (len(kept.rows), kept.season) == (7, "weekday of day")


def test_a_null_burst_is_an_issue_of_quality_once_and_no_drift(bench_of: Made):
    bench = bench_of(Kind.NULL_BURST)
    result = bench.check(*FIRST_WEEK)
    assert result["outcome"] == "values_lost"
    assert (result["reports"][0]["affected"], result["reports"][0]["lost"]) == ([], ["x3"])
    assert bench.check(*FIRST_WEEK)["outcome"] == "calm"
    [(kind, issue)] = bench.events()
    assert (kind, issue["kind"], issue["severity"]) == ("data_quality_issue", "null_burst", "high")
    assert issue["window"] == {"first_day": str(FIRST_WEEK[0]), "last_day": str(FIRST_WEEK[1])}
    [finding] = issue["findings"]
    assert finding["column"] == "x3"
    assert 0.3 < finding["share"] < 0.7


def test_what_the_model_hardly_uses_is_reported_and_leads_nowhere(bench_of: Made):
    bench = bench_of(Kind.IRRELEVANT_SHIFT)
    assert bench.check(*FIRST_WEEK)["outcome"] == "calm"
    assert bench.events() == []
    with bench.store.transaction() as tx:
        [report] = tx.drift_reports.of_model(NAME, 5)
    assert not report.drifted
    assert [one["feature"] for one in report.features["results"] if one["drifted"]] == ["x7"]
    assert "x7" in report.features["notes"][0]


@pytest.mark.parametrize("kind", [Kind.EASIER, Kind.ABRUPT_CONCEPT])
def test_drift_and_a_larger_error_are_two_things(bench_of: Made, kind: Kind):
    """Inputs move and the error falls: drift, and nothing to go back from. Inputs stay and mean something else: the error monitor's to find."""
    bench = bench_of(kind)
    outcomes = [bench.check(first, first + WEEK - timedelta(days=1))["outcome"] for first in (ONSET_DAY, ONSET_DAY + WEEK, ONSET_DAY + 2 * WEEK)]
    degraded = [look.days_since for look in looks(kind, 3, per_day=16) if look.degraded]
    if kind is Kind.EASIER:
        assert (outcomes, degraded) == (["drifted"] * 3, [])
    else:
        assert outcomes == ["calm"] * 3
        assert 0 <= degraded[0] < 14
    policy, state = load_policy(CHECKOUT / "policies" / "default.yaml"), State(model=NAME, datasets=("tiny.data",))
    answers = [answer.kind for event in said(bench.store, "/airflow/drift_check") for answer in decide(event, state, bench.clock.at, policy).answers]
    assert set(answers) == ({ActionKind.MONITOR, ActionKind.ALERT} if kind is Kind.EASIER else set())


def test_what_it_uses_is_told_with_kind_and_weight(bench_of: Made):
    bench = bench_of(Kind.MIX_FLIP)
    assert bench.check(*FIRST_WEEK)["outcome"] == "drifted"
    [(kind, told)] = bench.events()
    assert kind == "data_drift_detected"
    assert [(one["name"], one["kind"]) for one in told["affected_features"]] == [("c1", "distribution")]
    assert told["affected_features"][0]["weight"] == pytest.approx(WEIGHTS["c1"] / sum(WEIGHTS.values()))
