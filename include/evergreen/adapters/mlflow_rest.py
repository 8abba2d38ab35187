"""MLflow's REST interface without its client library, whose import alone costs seconds: what light processes need of the registry."""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from evergreen.core.errors import EvergreenError, NotFound, Unavailable

_API = "/api/2.0/mlflow/"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
_TIMEOUT_SECONDS = 10.0
_CHUNK = 2**16


class MlflowRest:
    def __init__(self, tracking_uri: str, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        parts = urllib.parse.urlsplit(tracking_uri)
        if parts.scheme not in {"http", "https"}:
            raise EvergreenError(f"EVERGREEN_MLFLOW__TRACKING_URI must be an http(s) URL, not {tracking_uri!r}")
        host = parts.hostname or ""
        self._base = urllib.parse.urlunsplit((parts.scheme, f"{host}:{parts.port}" if parts.port else host, parts.path.rstrip("/"), "", ""))
        self._headers = {"Accept": "application/json"}
        if parts.username:
            login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
            self._headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        self._timeout = timeout_seconds

    def get(self, call: str, **query: str) -> dict[str, Any]:
        return self._json("GET", f"{_API}{call}?{urllib.parse.urlencode(query)}", None)

    def post(self, call: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._json("POST", _API + call, body)

    def delete(self, call: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._json("DELETE", _API + call, body)

    def download(self, run_id: str, path: str, limit: int) -> bytes:
        """A run's artifact through the server, whatever store is behind it. Raises NotFound, Unavailable, and EvergreenError above `limit` bytes."""
        query = urllib.parse.urlencode({"run_uuid": run_id, "path": path})
        return self._read(f"/get-artifact?{query}", limit, f"{path} of run {run_id}")

    def download_logged(self, model_id: str, path: str, limit: int) -> bytes:
        """A logged model's file; raises like `download`."""
        query = urllib.parse.urlencode({"artifact_file_path": path})
        return self._read(f"/ajax-api/2.0/mlflow/logged-models/{urllib.parse.quote(model_id, safe='')}/artifacts/files?{query}", limit, f"{path} of {model_id}")

    def _read(self, path: str, limit: int, what: str) -> bytes:
        body = self._send("GET", path, None, None, limit)
        if len(body) > limit:
            raise EvergreenError(f"{what} has more than {limit} bytes")
        return body

    def upload(self, artifact_uri: str, path: str, body: bytes, content_type: str) -> bool:
        """Put a file beside a run. False: the store is not behind the server's proxy, only MLflow's client can reach it."""
        scheme, _, rest = artifact_uri.partition(":")
        if scheme != "mlflow-artifacts":
            return False
        # mlflow-artifacts://host:port/x names another server; without a host it is this one.
        target = urllib.parse.quote(f"{rest.lstrip('/')}/{path}") if not rest.startswith("//") else ""
        if target:
            self._send("PUT", _ARTIFACTS + target, body, content_type, _CHUNK)
        return bool(target)

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        sent = None if body is None else json.dumps(body).encode()
        answer = self._send(method, path, sent, "application/json", 64 * 2**20)
        try:
            parsed = json.loads(answer or b"{}")
        except ValueError as error:
            raise Unavailable(f"{self._base} does not answer like MLflow") from error
        return parsed if isinstance(parsed, dict) else {}

    def _send(self, method: str, path: str, body: bytes | None, content_type: str | None, limit: int) -> bytes:
        headers = dict(self._headers) | ({"Content-Type": content_type} if content_type else {})
        request = urllib.request.Request(self._base + path, data=body, method=method, headers=headers)  # noqa: S310 - http(s) is checked above
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:  # noqa: S310
                read: bytes = answer.read(limit + 1)
                return read
        except urllib.error.HTTPError as error:
            raise _translated(error, method, path) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"MLflow at {self._base} does not answer: {error}") from error


def _translated(error: urllib.error.HTTPError, method: str, path: str) -> EvergreenError:
    text = error.read(4096).decode("utf-8", "replace")
    try:
        told = json.loads(text)
    except ValueError:
        told = {}
    message = told.get("message", "") if isinstance(told, dict) else ""
    what = f"MLflow answered {error.code} to {method} {path.partition('?')[0]}: {str(message or error.reason)[:300]}"
    if error.code == 404 or (isinstance(told, dict) and told.get("error_code") == "RESOURCE_DOES_NOT_EXIST"):
        return NotFound(what)
    return Unavailable(what) if error.code >= 500 or error.code in {408, 429} else EvergreenError(what)
