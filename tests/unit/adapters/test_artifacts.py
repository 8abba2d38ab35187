"""Artifacts are hostile until proven otherwise: everything but the honest folder is refused before any of it runs."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from evergreen.adapters import artifacts
from evergreen.adapters.artifact_probe import probe_in_child
from evergreen.core.errors import ArtifactRefused, EvergreenError
from evergreen.domains.videos.spec import video_spec
from evergreen.ports.model import FittedModel
from evergreen.ports.registry import GoldenRows

KEY = bytes(range(32))
TREES = frozenset({"sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "numpy.dtype"})
NAME = "tiny@3"
GOLDEN = GoldenRows(["x"], [[0.0], [None]], [1.0, 2.0])


def _fitted() -> FittedModel:
    x = np.linspace(0, 1, 60).reshape(-1, 1)
    return FittedModel({"primary": HistGradientBoostingRegressor(max_iter=3).fit(x, x[:, 0]), "other": LinearRegression().fit(x, x[:, 0])}, {"width": 0.5})


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "version"
    artifacts.save(folder, _fitted(), identity=NAME, key=KEY, golden=GOLDEN)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "version"
    copy.mkdir()
    for file in saved.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def _resign(folder: Path) -> None:
    """What one could do who holds the key but was tricked into signing: hash everything again and sign it."""
    listed = {
        file.name: {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "bytes": file.stat().st_size}
        for file in folder.iterdir()
        if file.name not in {"manifest.json", "manifest.sig"}
    }
    manifest = json.dumps({"format": 1, "identity": NAME, "files": listed}).encode()
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "manifest.sig").write_text(hmac.new(KEY, manifest, hashlib.sha256).hexdigest())


def test_the_honest_folder_loads_identical(folder: Path) -> None:
    estimators, card = artifacts.load_verified(folder, TREES, KEY, identity=NAME)
    x = np.linspace(0, 1, 7).reshape(-1, 1)
    assert set(estimators) == {"primary", "other"}
    assert (estimators["primary"].predict(x) == _fitted().estimators["primary"].predict(x)).all()
    assert card == {"width": 0.5}
    assert artifacts.read_golden(folder, KEY) == GOLDEN


@pytest.mark.parametrize("name", ["primary.skops", "other.skops", "card.json", "golden.json", "manifest.json", "manifest.sig"])
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_one_flipped_bit_is_refused(folder: Path, name: str, where: str) -> None:
    body = bytearray((folder / name).read_bytes())
    body[{"first": 0, "middle": len(body) // 2, "last": len(body) - 1}[where]] ^= 1
    (folder / name).write_bytes(bytes(body))
    with pytest.raises(ArtifactRefused):
        artifacts.load_verified(folder, TREES, KEY)


def _extra_file(folder: Path) -> None:
    (folder / "more.json").write_text("{}")


def _pickle_beside(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(pickle.dumps({}))


def _mlmodel_with_cloudpickle(folder: Path) -> None:
    (folder / "MLmodel").write_text("flavors:\n  sklearn:\n    serialization_format: cloudpickle\n    pickled_model: model.pkl\n    code_paths: code\n")


def _missing_file(folder: Path) -> None:
    (folder / "other.skops").unlink()


def _link_instead_of_file(folder: Path) -> None:
    target = folder.parent / "elsewhere"
    (folder / "card.json").rename(target)
    (folder / "card.json").symlink_to(target)


def _folder_inside(folder: Path) -> None:
    (folder / "code").mkdir()


def _no_signature(folder: Path) -> None:
    (folder / "manifest.sig").unlink()


def _cut_archive(folder: Path) -> None:
    body = (folder / "primary.skops").read_bytes()
    (folder / "primary.skops").write_bytes(body[: len(body) // 2])


@pytest.mark.parametrize(
    "harm",
    [
        _extra_file,
        _pickle_beside,
        _mlmodel_with_cloudpickle,
        _missing_file,
        _link_instead_of_file,
        _folder_inside,
        _no_signature,
        _cut_archive,
    ],
    ids=lambda harm: harm.__name__.strip("_"),
)
def test_a_changed_folder_is_refused(folder: Path, harm: Callable[[Path], None]) -> None:
    harm(folder)
    with pytest.raises(ArtifactRefused):
        artifacts.load_verified(folder, TREES, KEY)


def test_another_signer_is_refused(folder: Path) -> None:
    with pytest.raises(ArtifactRefused, match="signature"):
        artifacts.load_verified(folder, TREES, bytes(32))


def test_a_version_cannot_stand_in_for_another(folder: Path) -> None:
    with pytest.raises(ArtifactRefused, match="tiny@3's, not tiny@4's"):
        artifacts.load_verified(folder, TREES, KEY, identity="tiny@4")


def _truncated_zip(folder: Path) -> None:
    body = (folder / "primary.skops").read_bytes()
    (folder / "primary.skops").write_bytes(body[:-30])


def _not_a_zip(folder: Path) -> None:
    (folder / "primary.skops").write_bytes(b"PK\x03\x04 nothing")


def _no_schema(folder: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("hello.txt", "x")
    (folder / "primary.skops").write_bytes(packed.getvalue())


def _climbing_entry(folder: Path) -> None:
    packed = io.BytesIO((folder / "primary.skops").read_bytes())
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("../../evil.npy", "x")
    (folder / "primary.skops").write_bytes(packed.getvalue())


def _card_is_a_list(folder: Path) -> None:
    (folder / "card.json").write_text("[]")


def _deep_card(folder: Path) -> None:
    (folder / "card.json").write_text("[" * 200_000 + "]" * 200_000)


def _no_primary(folder: Path) -> None:
    (folder / "primary.skops").unlink()


@pytest.mark.parametrize(
    "harm", [_truncated_zip, _not_a_zip, _no_schema, _climbing_entry, _card_is_a_list, _deep_card, _no_primary], ids=lambda harm: harm.__name__.strip("_")
)
def test_a_signed_folder_with_rubbish_in_it_is_refused(folder: Path, harm: Callable[[Path], None]) -> None:
    harm(folder)
    _resign(folder)
    with pytest.raises(ArtifactRefused):
        artifacts.load_verified(folder, TREES, KEY)


class Evil:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return Path.touch, ("never",)


def _widened_types(folder: Path) -> None:
    """A type of our own inside the archive, as a tampered list of trusted types would allow it."""
    (folder / "primary.skops").write_bytes(skops.io.dumps({"model": Evil()}))


def _system_call(folder: Path) -> None:
    """A function that runs a command, named in the schema."""
    schema = {
        "__class__": "system",
        "__module__": "os",
        "__loader__": "FunctionNode",
        "__id__": 1,
        "content": {"module_path": "os", "function": "system"},
        "protocol": 2,
        "_skops_version": "0.16",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    (folder / "primary.skops").write_bytes(packed.getvalue())


@pytest.mark.parametrize("harm", [_widened_types, _system_call], ids=lambda harm: harm.__name__.strip("_"))
def test_types_are_compared_with_our_list_before_anything_is_built(folder: Path, harm: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch) -> None:
    harm(folder)
    _resign(folder)
    built: list[object] = []
    monkeypatch.setattr(skops.io, "loads", lambda *_, **__: built.append(1))
    with pytest.raises(ArtifactRefused, match=r"not allowed|cannot be read"):
        artifacts.load_verified(folder, TREES, KEY)
    assert built == []


def test_trees_need_their_type_on_the_list(folder: Path) -> None:
    with pytest.raises(ArtifactRefused, match="TreePredictor"):
        artifacts.load_verified(folder, frozenset(), KEY)


def test_a_bloated_archive_is_refused_before_it_is_unpacked(folder: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"0" * (artifacts.MAX_UNPACKED_BYTES + 1))
    (folder / "primary.skops").write_bytes(packed.getvalue())
    _resign(folder)
    with pytest.raises(ArtifactRefused, match="unpacks"):
        artifacts.load_verified(folder, TREES, KEY)


def test_an_overlong_file_is_not_read_to_its_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "MAX_FILE_BYTES", 1000)
    with pytest.raises(ArtifactRefused, match="more than 1000 bytes"):
        artifacts.load_verified(folder, TREES, KEY)


def test_a_head_may_not_leave_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ArtifactRefused):
        artifacts.save(tmp_path / "v", FittedModel({"../primary": LinearRegression()}, {}), identity=NAME, key=KEY)


@pytest.mark.parametrize("hex_key", ["", "zz", "ab" * 31])
def test_a_weak_key_is_no_key(hex_key: str) -> None:
    with pytest.raises(EvergreenError, match="EVERGREEN_SIGNING_KEY"):
        artifacts.signing_key(hex_key)


def test_the_child_loads_the_honest_folder_and_refuses_the_other(folder: Path) -> None:
    spec = dataclasses.replace(video_spec(), trusted_types=TREES)
    probed = probe_in_child(folder, spec, KEY, identity=NAME)
    assert probed.figures["seconds"] > 0
    assert probed.figures["peak_mb"] > 1
    assert (probed.compiled, probed.not_compilable) == (b"", "other: only a choice of columns before the trees is known")
    (folder / "card.json").write_text("{}")
    with pytest.raises(ArtifactRefused, match="SHA-256"):
        probe_in_child(folder, spec, KEY, identity=NAME)


def test_rows_survive_with_their_gaps(folder: Path) -> None:
    golden = artifacts.read_golden(folder, KEY)
    assert golden is not None
    frame = pd.DataFrame(golden.rows, columns=list(golden.columns), dtype="float64")
    assert frame["x"].isna().tolist() == [False, True]
