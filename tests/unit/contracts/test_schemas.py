"""Generated schemas are what the code says, and a change may only widen them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, Field

from evergreen.contracts.schemas import differences, documents, incompatibilities, main, schema_of
from evergreen.contracts.topics import PAYLOADS
from evergreen.environment import CHECKOUT

COMMITTED = CHECKOUT / "docs" / "reference"


def test_the_committed_documents_are_the_generated_ones() -> None:
    stale, breaking = differences(COMMITTED)
    assert breaking == []
    assert stale == [], "run: python -m evergreen.contracts.schemas docs/reference"


def test_no_schema_is_left_over() -> None:
    assert {file.stem for file in (COMMITTED / "schemas").glob("*.json")} == set(PAYLOADS)


@pytest.mark.parametrize("event_type", sorted(PAYLOADS))
def test_each_schema_is_valid_and_closed(event_type: str) -> None:
    schema = schema_of(event_type)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert schema["$id"] == f"urn:evergreen:{event_type}/v1"


class Before(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    share: float = Field(ge=0, le=1)
    kind: str = "a"
    tags: tuple[str, ...] = ()
    numbers: dict[str, float] = {}
    note: str | None = None
    span: tuple[float, float] = (0.0, 1.0)
    free: dict[str, Any] = {}


def changed(**fields: Any) -> dict[str, Any]:
    """`Before` with some fields replaced (annotation, default) or, None, removed."""
    kept = {name: (field.annotation, field) for name, field in Before.model_fields.items() if fields.get(name, True) is not None}
    given = {name: field for name, field in fields.items() if field is not None}
    namespace: dict[str, Any] = {"__annotations__": {}, "model_config": ConfigDict(extra="forbid"), "__module__": __name__}
    for name, (annotation, default) in (kept | given).items():
        namespace["__annotations__"][name] = annotation
        if default is not ...:
            namespace[name] = default
    model: type[BaseModel] = type("After", (BaseModel,), namespace)
    return model.model_json_schema()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"extra": (str, "x")}, id="field-with-a-default-added"),
        pytest.param({"share": (float, Field(ge=-1, le=2))}, id="bounds-widened"),
        pytest.param({"name": (str | None, None)}, id="field-became-optional"),
        pytest.param({"note": (str | int | None, None)}, id="alternative-added"),
        pytest.param({"tags": (tuple[str | int, ...], ())}, id="items-widened"),
        pytest.param({"kind": (str, Field(default="a", description="told"))}, id="description-added"),
    ],
)
def test_what_only_widens_is_accepted(fields: dict[str, Any]) -> None:
    assert incompatibilities(Before.model_json_schema(), changed(**fields)) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"extra": (str, ...)}, "data.extra: became required", id="required-field-added"),
        pytest.param({"kind": None}, "data.kind: was removed", id="field-removed"),
        pytest.param({"kind": (str, ...)}, "data.kind: became required", id="default-taken-away"),
        pytest.param({"share": (float, Field(ge=0.5, le=1))}, "data.share: minimum rose to 0.5", id="lower-bound-raised"),
        pytest.param({"share": (float, Field(ge=0, le=0.5))}, "data.share: maximum fell to 0.5", id="upper-bound-lowered"),
        pytest.param({"share": (int, Field(ge=0, le=1))}, "data.share: was number, is integer", id="number-became-integer"),
        pytest.param({"kind": (str, Field(default="a", pattern="^a"))}, "data.kind: pattern changed to ^a", id="pattern-added"),
        pytest.param({"note": (str, "")}, "data.note: was null, is string", id="null-no-longer-accepted"),
        pytest.param({"tags": (tuple[int, ...], ())}, "data.tags[]: was string, is integer", id="items-narrowed"),
        pytest.param({"numbers": (dict[str, int], {})}, "data.numbers.*: was number, is integer", id="values-of-a-map-narrowed"),
        pytest.param({"free": (dict[str, int], {})}, "data.free.*: was anything, is integer", id="free-values-restricted"),
        pytest.param({"span": (tuple[float, float, float], (0.0, 1.0, 2.0))}, "data.span: had 2 fixed places, has 3", id="place-added"),
    ],
)
def test_what_breaks_a_reader_is_named(fields: dict[str, Any], said: str) -> None:
    assert said in incompatibilities(Before.model_json_schema(), changed(**fields))


def test_a_value_taken_out_of_a_closed_list_is_named() -> None:
    assert incompatibilities({"enum": ["a", "b"], "type": "string"}, {"enum": ["a"], "type": "string"}) == ["data: b no longer accepted"]
    assert incompatibilities({"type": "string"}, {"enum": ["a"], "type": "string"}) == ["data: only ['a'] are accepted now"]
    assert incompatibilities({"const": "a", "type": "string"}, {"enum": ["a", "b"], "type": "string"}) == []


def test_a_breaking_change_is_refused_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    file = tmp_path / "schemas" / "model_deployed.json"
    older = json.loads(file.read_text())
    older["properties"]["colour"] = {"type": "string"}
    file.write_text(json.dumps(older))
    assert main([str(tmp_path)]) == 1
    assert json.loads(file.read_text()) == older
    assert "breaks readers: model_deployed: data.colour: was removed" in capsys.readouterr().err


def test_a_removed_event_type_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(tmp_path)])
    (tmp_path / "schemas" / "gone.json").write_text("{}")
    assert main([str(tmp_path)]) == 1
    assert "gone: event type was removed" in capsys.readouterr().err


def test_check_names_the_stale_file_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(tmp_path)])
    (tmp_path / "topics.md").write_text("old")
    assert main([str(tmp_path), "--check"]) == 1
    assert "topics.md" in capsys.readouterr().err
    assert (tmp_path / "topics.md").read_text() == "old"
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / "topics.md").read_text() == documents()["topics.md"]
    assert main([str(tmp_path), "--check"]) == 0
