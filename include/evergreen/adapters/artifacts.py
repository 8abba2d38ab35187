"""A model version on disk: `<head>.skops` per estimator, `card.json`, `golden.json`, `manifest.json`, `manifest.sig`.

Guarantee: nothing of a version is parsed before the manifest's HMAC-SHA256 (the training job's key) and the SHA-256 of every file match,
and no type is built that our own code does not allow. The bytes that were hashed are the bytes that are loaded. The manifest names model
and version, so the files of one version cannot stand in for another.
Failure: a flipped byte, a file too many, another signer, a widened type list, a cut or bloated archive, a name that leaves the folder.
Remedy: ArtifactRefused before any code of it ran; the champion keeps serving, the version stays where it is for inspection.

No pickle, no MLmodel, no code path is ever read: `skops` files and JSON are the whole format."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import re
import stat
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from evergreen.core.errors import ArtifactRefused, EvergreenError
from evergreen.ports.model import FittedModel
from evergreen.ports.registry import GoldenRows

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
CARD = "card.json"
GOLDEN = "golden.json"
_FORMAT = 1
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}\.(skops|json)")
MAX_FILES = 16
MAX_FILE_BYTES = 64 * 2**20
MAX_MANIFEST_BYTES = 64 * 2**10
MAX_UNPACKED_BYTES = 256 * 2**20
MAX_ZIP_ENTRIES = 20_000


class VerifiedArtifact(NamedTuple):
    estimators: Mapping[str, Any]
    card: Mapping[str, Any]


def signing_key(hex_key: str) -> bytes:
    """The key from its setting. Raises EvergreenError when there is none: an unsigned artifact is of no use to anybody."""
    try:
        key = bytes.fromhex(hex_key)
    except ValueError:
        key = b""
    if len(key) < 32:
        raise EvergreenError("EVERGREEN_SIGNING_KEY must be 32 bytes in hex: `evergreen up` makes one per home")
    return key


def save(
    folder: Path, fitted: FittedModel, *, identity: str, key: bytes, golden: GoldenRows | None = None, logged_model: Mapping[str, Any] | None = None
) -> None:
    """Write the version `identity` (`name@N`) into `folder` (made if missing). The signature comes last: without it the folder is incomplete.
    `logged_model`: what is signed of the MLflow model beside it."""
    from skops.io import dumps

    contents = {f"{head}.skops": dumps(estimator) for head, estimator in fitted.estimators.items()}
    contents[CARD] = _json(fitted.card)
    if golden is not None:
        contents[GOLDEN] = _json({"columns": golden.columns, "rows": golden.rows, "predicted": golden.predicted})
    for name, body in contents.items():
        _check_name(name)
        if len(body) > MAX_FILE_BYTES:
            raise ArtifactRefused(f"{name} would have {len(body)} bytes, the limit is {MAX_FILE_BYTES}")
    files = {name: {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)} for name, body in contents.items()}
    about = {} if logged_model is None else {"logged_model": dict(logged_model)}
    manifest = _json({"format": _FORMAT, "identity": identity, "files": files, **about})
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in contents.items():
        (folder / name).write_bytes(body)
    (folder / MANIFEST).write_bytes(manifest)
    (folder / SIGNATURE).write_text(_sign(manifest, key), encoding="ascii")


def load_verified(folder: Path, trusted_types: Collection[str], key: bytes, *, identity: str | None = None) -> VerifiedArtifact:
    """(estimators by head, card). `identity`: the version it must be. Raises ArtifactRefused."""
    contents = read_verified(folder, key, identity=identity)
    card = _card(contents)
    heads = {name.removesuffix(".skops"): body for name, body in contents.items() if name.endswith(".skops")}
    if "primary" not in heads:
        raise ArtifactRefused("there is no primary.skops")
    return VerifiedArtifact({head: build(head, body, trusted_types) for head, body in heads.items()}, card)


def read_described(folder: Path, key: bytes) -> tuple[Mapping[str, Any], GoldenRows | None]:
    """(card, golden rows): what is known of a version whose estimators nobody needs. Raises ArtifactRefused."""
    contents = read_verified(folder, key)
    return _card(contents), _golden(contents)


def _card(contents: Mapping[str, bytes]) -> Mapping[str, Any]:
    card = _parse(CARD, contents.get(CARD, b"null"))
    if not isinstance(card, dict):
        raise ArtifactRefused(f"{CARD} is missing or not an object")
    return card


def read_golden(folder: Path, key: bytes) -> GoldenRows | None:
    """Rows the training job predicted before saving; None in a version without them. Raises ArtifactRefused."""
    return _golden(read_verified(folder, key))


def _golden(contents: Mapping[str, bytes]) -> GoldenRows | None:
    body = contents.get(GOLDEN)
    if body is None:
        return None
    try:
        return GoldenRows(**_parse(GOLDEN, body))
    except TypeError as error:
        raise ArtifactRefused(f"{GOLDEN} has an unknown form") from error


def manifest_files(manifest: bytes, signature: str, key: bytes) -> dict[str, int]:
    """What a signed manifest lists: file name -> bytes. For a download that fetches nothing else. Raises ArtifactRefused."""
    return {name: int(entry["bytes"]) for name, entry in _checked_manifest(manifest, signature, key, None).items()}


def signed_logged_model(folder: Path) -> Mapping[str, Any] | None:
    """What a folder that was verified says of the MLflow model beside it; None: it is older than that."""
    said: Mapping[str, Any] | None = _parse(MANIFEST, _read(folder / MANIFEST, MAX_MANIFEST_BYTES)).get("logged_model")
    return said


def read_verified(folder: Path, key: bytes, *, identity: str | None = None) -> dict[str, bytes]:
    """Every listed file's bytes, each read once, hashed and compared. Raises ArtifactRefused."""
    present = _regular_files(folder)
    if MANIFEST not in present or SIGNATURE not in present:
        raise ArtifactRefused(f"{folder.name}: not signed ({MANIFEST} or {SIGNATURE} is missing)")
    listed = _checked_manifest(_read(folder / MANIFEST, MAX_MANIFEST_BYTES), _read(folder / SIGNATURE, 1024).decode("ascii", "replace"), key, identity)
    if present - {MANIFEST, SIGNATURE} != set(listed):
        odd = sorted((present - {MANIFEST, SIGNATURE}) ^ set(listed))
        raise ArtifactRefused(f"{folder.name}: the folder and its manifest differ in {', '.join(odd)}")
    contents = {}
    for name, entry in listed.items():
        body = _read(folder / name, MAX_FILE_BYTES)
        if len(body) != entry["bytes"] or not hmac.compare_digest(hashlib.sha256(body).hexdigest(), str(entry["sha256"])):
            raise ArtifactRefused(f"{folder.name}/{name}: its SHA-256 is not the manifest's")
        contents[name] = body
    return contents


def _regular_files(folder: Path) -> set[str]:
    """Names in the folder; anything that is not a plain file (a link, a folder) is refused, and so are too many."""
    names = set()
    try:
        for entry in folder.iterdir():
            if not stat.S_ISREG(entry.lstat().st_mode):
                raise ArtifactRefused(f"{folder.name}/{entry.name}: not a plain file")
            names.add(entry.name)
    except OSError as error:
        raise ArtifactRefused(f"{folder.name}: cannot be read: {error.strerror}") from error
    if len(names) > MAX_FILES:
        raise ArtifactRefused(f"{folder.name}: {len(names)} files, the limit is {MAX_FILES}")
    return names


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        body = file.read(limit + 1)
    if len(body) > limit:
        raise ArtifactRefused(f"{path.name}: more than {limit} bytes")
    return body


def _checked_manifest(manifest: bytes, signature: str, key: bytes, identity: str | None) -> dict[str, dict[str, Any]]:
    if not hmac.compare_digest(_sign(manifest, key), signature.strip()):
        raise ArtifactRefused("the manifest's signature is not the training job's")
    parsed = _parse(MANIFEST, manifest)
    if not isinstance(parsed, dict) or parsed.get("format") != _FORMAT or not isinstance(parsed.get("files"), dict):
        raise ArtifactRefused("the manifest has an unknown format")
    if identity is not None and parsed.get("identity") != identity:
        raise ArtifactRefused(f"the manifest is {parsed.get('identity')}'s, not {identity}'s")
    if len(parsed["files"]) > MAX_FILES:
        raise ArtifactRefused(f"the manifest lists {len(parsed['files'])} files, the limit is {MAX_FILES}")
    for name in parsed["files"]:
        _check_name(name)
    files: dict[str, dict[str, Any]] = parsed["files"]
    return files


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None or name == MANIFEST:
        raise ArtifactRefused(f"{name!r} is not a file of a version")


def build(head: str, body: bytes, trusted_types: Collection[str]) -> Any:
    """The estimator. Types beyond skops' own defaults are compared with *our* list first; the list inside the archive decides nothing."""
    from skops.io import get_untrusted_types, loads

    _check_zip(head, body)
    try:
        asked = get_untrusted_types(data=body)
    except Exception as error:  # whatever a broken archive makes the parser raise, it is refused
        raise ArtifactRefused(f"{head}.skops cannot be read: {type(error).__name__}") from error
    foreign = sorted(set(asked) - set(trusted_types))
    if foreign:
        raise ArtifactRefused(f"{head}.skops holds types that are not allowed: {', '.join(foreign)}")
    try:
        return loads(body, trusted=asked)
    except Exception as error:  # as above
        raise ArtifactRefused(f"{head}.skops cannot be built: {type(error).__name__}: {error}") from error


def _check_zip(head: str, body: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise ArtifactRefused(f"{head}.skops is not a whole archive") from error
    if len(entries) > MAX_ZIP_ENTRIES or sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise ArtifactRefused(f"{head}.skops unpacks to more than {MAX_UNPACKED_BYTES} bytes or {MAX_ZIP_ENTRIES} entries")
    for entry in entries:
        if entry.filename.startswith(("/", "\\")) or ".." in Path(entry.filename).parts:
            raise ArtifactRefused(f"{head}.skops holds {entry.filename!r}")


def _sign(manifest: bytes, key: bytes) -> str:
    return hmac.new(key, manifest, hashlib.sha256).hexdigest()


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False).encode()


def _parse(name: str, body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ArtifactRefused(f"{name} is not JSON") from error
