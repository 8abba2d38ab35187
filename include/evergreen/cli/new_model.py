"""`evergreen new-model`: a folder with a spec file, from a look at the data or as a template; and whether a spec still fits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from evergreen.core.errors import SpecRefused
from evergreen.environment import models_folder

if TYPE_CHECKING:
    from evergreen.domains.tabular.declared import Declared

Kind = Annotated[Literal["regression", "classification"] | None, typer.Option(help="Default: classification where the target has two values.")]
From = Annotated[Path | None, typer.Option("--from", help="A folder (or file) of CSV or Parquet to look at.", exists=True)]
Check = Annotated[bool, typer.Option("--check", help="Only say whether the spec there is fits; with --from, whether that data has its columns.")]


def register(app: typer.Typer) -> None:
    app.command("new-model")(new_model)


def new_model(
    name: str,
    source: From = None,
    time: Annotated[str | None, typer.Option(help="The column that says when a row became known.")] = None,
    target: Annotated[str | None, typer.Option(help="The column to be predicted.")] = None,
    entity: Annotated[str | None, typer.Option(help="The column that names a row, each only once. Default: one called like an id, else a hash.")] = None,
    kind: Kind = None,
    time_format: Annotated[str | None, typer.Option(help="How the time is written, such as %d/%m/%Y; s or ms since 1970. Default: ISO 8601.")] = None,
    check: Check = False,
) -> None:
    """Make a model of your own: a folder in this home with a spec, written from a look at your data. No code."""
    from evergreen.domains.tabular.declared import FILE
    from evergreen.domains.tabular.spec_file import read_spec, refuse_name

    refuse_name(name)
    folder = _models_dir() / name
    if check:
        declared = read_spec(folder / FILE)
        _fits(declared, source)
        typer.echo(f"{folder / FILE} is whole: {declared.kind}, {len(declared.features)} features")
        return
    if folder.exists():
        raise SpecRefused(f"{folder} is there already: edit its {FILE} and run `evergreen new-model {name} --check`, or choose another name")
    text, declared = _written(name, source, time, target, entity, kind, time_format)
    _make(folder, text, declared, source)
    typer.echo(f"made {folder / FILE}: {declared.kind} of {declared.target.name} from {', '.join(declared.features[:8])}")
    typer.echo(f"Read it, then start the stack (again): `evergreen up`; then `evergreen load rows {name} {source or 'FOLDER'}`.")


def _models_dir() -> Path:
    from evergreen.local_stack.choose import find_home

    return models_folder(find_home()[0])


def _written(
    name: str, source: Path | None, time: str | None, target: str | None, entity: str | None, kind: str | None, time_format: str | None
) -> tuple[str, Declared]:
    from evergreen.domains.tabular.spec_file import parse_spec
    from evergreen.domains.tabular.spec_text import template

    if source is None:
        text = template(name, kind or "regression")
    elif time is None or target is None:
        raise SpecRefused("--from needs --time COLUMN and --target COLUMN: which column says when, and which is to be predicted")
    else:
        from evergreen.domains.tabular.inspect import Asked, inspect, sample

        text = inspect(sample(source), name, Asked(time, target, kind, entity, time_format)).render()
    return text, parse_spec(text, folder=name)


def _fits(declared: Declared, source: Path | None) -> None:
    """Raises DataRejected naming the file and the column."""
    if source is not None:
        from evergreen.domains.tabular.loaders import require_columns
        from evergreen.domains.tabular.readers import files_below

        for file in files_below(source):
            require_columns(file, declared)


def _make(folder: Path, text: str, declared: Declared, source: Path | None) -> None:
    """Whole or not at all."""
    from evergreen.domains.tabular.declared import FILE
    from evergreen.domains.tabular.spec_text import readme

    unfinished = folder.with_name(f".{folder.name}.part")
    unfinished.mkdir(parents=True, exist_ok=True)
    (unfinished / FILE).write_text(text, encoding="utf-8")
    (unfinished / "README.md").write_text(readme(declared.name, declared.target.name, declared.entity.name, str(source or "FOLDER")), encoding="utf-8")
    unfinished.rename(folder)
