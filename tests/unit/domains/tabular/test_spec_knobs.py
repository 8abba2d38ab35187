"""A spec's own gates, windows, rollout and search: what is written counts, what is not keeps its default, and a mistake is refused by its line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evergreen.core.errors import SpecRefused
from evergreen.core.release import released_at
from evergreen.domains.tabular.declared import Declared
from evergreen.domains.tabular.spec import tabular_spec
from evergreen.domains.tabular.spec_file import parse_spec
from evergreen.domains.tabular.spec_knobs import KNOBS
from evergreen.ports.model import GateThresholds, ModelSpec, Windows
from evergreen.services.grid_search import search
from evergreen.services.training import feature_table, fit_candidate, training_window
from evergreen.settings_rollout import RolloutSettings
from tests.unit.domains.tabular.test_model import flats
from tests.unit.domains.tabular.test_spec_file import WHOLE

OWN = """
[gates]
min_rows = 100
min_improvement = 0.05

[windows]
evaluation_days = 14

[rollout]
canary_share = 0.2
shadow_rows = 0

[search]
trials = 6
learning_rate = [0.02, 0.3]
max_leaf_nodes = [4, 31]
"""
AS_OF = released_at(date(2025, 12, 30))


def test_what_is_written_counts_and_the_rest_is_as_ever() -> None:
    spec = tabular_spec(parse_spec(WHOLE + OWN, folder="flats"))
    assert spec.gates == GateThresholds(segment_column="district", min_rows=100, min_improvement=0.05)
    assert spec.windows == Windows(evaluation_days=14)
    assert spec.rollout == {"canary_share": 0.2, "shadow_rows": 0}
    assert spec.search is not None
    assert (spec.search.trials, spec.search.seconds, spec.search.grid) == (6, 300.0, {"learning_rate": (0.02, 0.3), "max_leaf_nodes": (4, 31)})
    plain = tabular_spec(parse_spec(WHOLE, folder="flats"))
    assert (plain.gates, plain.windows, plain.rollout, plain.search) == (GateThresholds(segment_column="district"), Windows(), {}, None)


def test_every_number_is_one_of_the_loops() -> None:
    assert set(KNOBS["gates"]) <= set(vars(GateThresholds()))
    assert set(KNOBS["windows"]) <= set(vars(Windows()))
    assert set(KNOBS["rollout"]) == set(RolloutSettings.model_fields)
    usual = {"gates": vars(GateThresholds()), "windows": vars(Windows()), "rollout": RolloutSettings().model_dump()}
    assert [key for section, known in KNOBS.items() for key, knob in known.items() if not knob.takes(usual[section][key])] == []


@pytest.mark.parametrize("key", KNOBS["rollout"])
def test_the_ends_of_a_range_are_taken_by_the_settings_too(key: str) -> None:
    knob = KNOBS["rollout"][key]
    for value in (knob.low, knob.high):
        RolloutSettings.model_validate({key: value})


FIRST = len(WHOLE.splitlines()) + 2
"""Line of [gates]."""
MISTAKES = {
    "below": ("min_rows = 100", "min_rows = 5", 1, "min_rows is 5: write a whole number from 20 to 100000"),
    "a text": ("min_rows = 100", 'min_rows = "100"', 1, "write a whole number"),
    "a flag": ("min_rows = 100", "min_rows = true", 1, "write a whole number"),
    "a fraction": ("evaluation_days = 14", "evaluation_days = 1.5", 5, "a whole number from 1 to 60"),
    "not a number": ("min_improvement = 0.05", "min_improvement = nan", 2, "write a number from 0 to 0.5"),
    "unknown": ("evaluation_days = 14", "gate_days = 14", 5, "known are evaluation_days"),
    "above": ("canary_share = 0.2", "canary_share = 0.9", 8, "write a number from 0 to 0.5"),
    "one value": ("learning_rate = [0.02, 0.3]", "learning_rate = 0.02", 13, "as a list of 1 to 10 different values"),
    "twice": ("learning_rate = [0.02, 0.3]", "learning_rate = [0.02, 0.02]", 13, "different values"),
    "nested": ("learning_rate = [0.02, 0.3]", "learning_rate = [[0.02]]", 13, "learning_rate is [0.02]: write a number"),
    "outside": ("max_leaf_nodes = [4, 31]", "max_leaf_nodes = [4, 500]", 14, "a whole number from 2 to 64"),
    "budget": ("trials = 6", "trials = 1000", 12, "a whole number from 2 to 50"),
    "unknown setting": ("trials = 6", "depth = [3]", 12, "known are"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_its_line_and_the_remedy(mistake: str) -> None:
    right, wrong, line, remedy = MISTAKES[mistake]
    assert right in OWN
    with pytest.raises(SpecRefused) as refused:
        parse_spec(WHOLE + OWN.replace(right, wrong, 1), folder="flats")
    assert f"line {FIRST + line}:" in str(refused.value), refused.value
    assert remedy in str(refused.value), refused.value


@pytest.mark.parametrize(("text", "remedy"), [("[search]\ntrials = 3\n", "write what to choose from"), ('gates = "strict"\n', "write [gates]")])
def test_a_section_that_is_none_is_refused(text: str, remedy: str) -> None:
    whole = WHOLE + text if text.startswith("[") else text + WHOLE
    with pytest.raises(SpecRefused) as refused:
        parse_spec(whole, folder="flats")
    assert remedy in str(refused.value)


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Declared, pd.DataFrame]:
    return flats(tmp_path_factory.mktemp("flats"), "Price")


def _searching(declared: Declared) -> ModelSpec:
    own = parse_spec(WHOLE + "[search]\ntrials = 3\nmax_iter = [10, 60]\n", folder="flats").search
    return tabular_spec(Declared(**{**vars(declared), "search": own}))


def test_a_search_chooses_settings_of_the_trees(declared: tuple[Declared, pd.DataFrame]) -> None:
    spec, plain = _searching(declared[0]), tabular_spec(declared[0])
    table = feature_table(spec, declared[1], AS_OF)
    window = training_window(spec, table)
    found = search(spec, table, window)
    assert found.trials[0].params == {}
    assert {trial.params.get("max_iter") for trial in found.trials} == {None, 10, 60}
    losses = [float(trial.loss or 0.0) for trial in found.trials]
    [chosen] = [trial for trial in found.trials if trial.chosen]
    assert chosen.loss == min(losses)
    assert chosen.params.get("max_iter") != 10  # ten trees are far too few
    candidate = fit_candidate(found.spec, table, window)
    assert candidate.fitted.card.get("params", {}) == chosen.params
    assert [(one.params, one.loss) for one in search(spec, table, window).trials] == [(one.params, one.loss) for one in found.trials]
    usual, own = fit_candidate(plain, table, window), plain.fit(candidate.train, 0)
    assert "params" not in own.card
    features = candidate.evaluation[list(spec.feature_names)]
    first, second = (plain.predictor(fitted.estimators, fitted.card).predict(features) for fitted in (usual.fitted, own))
    assert np.array_equal(first, second)


def test_a_folder_with_its_own_numbers_is_whole(tmp_path: Path) -> None:
    from evergreen.domains.tabular.folder import declared_model

    (tmp_path / "flats").mkdir()
    (tmp_path / "flats" / "spec.toml").write_text(WHOLE + OWN)
    assert declared_model(tmp_path, "flats").windows == {"evaluation_days": 14}
