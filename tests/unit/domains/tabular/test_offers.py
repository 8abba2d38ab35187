"""Declared models beside those that are code: found by every process of the home, at next to no cost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evergreen.bootstrap import Parts
from evergreen.core.errors import NotFound
from evergreen.domains.tabular.spec_text import template
from evergreen.environment import CHECKOUT, child_environment
from evergreen.settings import load_settings


def home_with(folder: Path, *names: str, text: str | None = None) -> Path:
    for name in names:
        (folder / "models" / name).mkdir(parents=True)
        (folder / "models" / name / "spec.toml").write_text(text or template(name, "regression"))
    return folder


def test_each_is_a_model_and_a_dataset_of_its_own(tmp_path: Path) -> None:
    parts = Parts(load_settings(home_with(tmp_path, "flats", "boats"), with_stack=False))
    assert list(parts.specs) == ["video_performance", "movie_recommender", "boats", "flats"], "the first is what forms offer first"
    assert list(parts.datasets) == ["videos.KR", "movies", "boats.rows", "flats.rows"]
    assert [dataset.seen for dataset in parts.datasets.values()] == [True, False, False, False]
    assert parts.declared("flats").name == "flats"
    with pytest.raises(NotFound):
        parts.declared("video_performance")


def test_one_that_is_broken_does_not_stop_the_others(tmp_path: Path) -> None:
    home_with(tmp_path, "flats")
    home_with(tmp_path, "broken", text="name = 1")
    assert list(Parts(load_settings(tmp_path, with_stack=False)).specs) == ["video_performance", "movie_recommender", "flats"]


def test_three_of_them_cost_a_worker_no_package_and_at_most_thirty_milliseconds(tmp_path: Path) -> None:
    home_with(tmp_path, "one", "two", "three")
    code = """
import json, sys, time
from dataclasses import dataclass
from pathlib import Path
import evergreen.domains.videos.offers
from evergreen.bootstrap_domains import offers

@dataclass
class Videos:
    region: str = "KR"

@dataclass
class Home:
    home: Path
    videos: Videos

home = Home(Path(sys.argv[1]), Videos())
begun = time.perf_counter()
found = [offer.spec.name for offer in offers(home)]
print(json.dumps({"found": found, "seconds": time.perf_counter() - begun, "brought": sorted({name.partition(".")[0] for name in sys.modules})}))
"""
    asked = [sys.executable, "-c", code, str(tmp_path)]
    runs = [subprocess.run(asked, cwd=CHECKOUT, env=child_environment(tmp_path), capture_output=True, text=True, timeout=60, check=True) for _ in range(3)]
    told = [json.loads(run.stdout) for run in runs]
    assert told[0]["found"] == ["video_performance", "movie_recommender", "one", "three", "two"]
    assert not {"pandas", "numpy", "yaml", "pydantic", "sklearn", "scipy"} & set(told[0]["brought"])
    assert min(one["seconds"] for one in told) <= 0.03
