"""Kubernetes behind the `Scaler` port: replicas of one Deployment, through the API server, as the pod's own service account.

It may `get` the Deployment and `patch` its `scale` subresource, nothing else (docs/guides/operations.md has the Role). A pod that goes is told
by SIGTERM, as any worker, and drains. Do not let a HorizontalPodAutoscaler work on the same Deployment: it would undo what is set here."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from threading import Event
from typing import Any

from evergreen.core.errors import EvergreenError, InvalidRequest, Unavailable
from evergreen.core.scaling import Bounds
from evergreen.ports.scaler import Scale, bounds_of, checked
from evergreen.settings import ScalerSettings

CONFLICTS = 5
"""The API server asks for the call again when somebody wrote the Deployment in the same moment."""
_AGAIN_SECONDS = 0.2
_MERGE = "application/merge-patch+json"
_ANSWER_BYTES = 2**20


class _Conflict(EvergreenError):
    """409."""


class KubernetesScaler:
    def __init__(self, settings: ScalerSettings, scaled: Mapping[str, Bounds]) -> None:
        if urllib.parse.urlsplit(settings.api_url).scheme not in {"http", "https"}:
            raise EvergreenError(f"EVERGREEN_SCALER__API_URL must be an http(s) URL, not {settings.api_url!r}")
        self._settings = settings
        self._scaled = scaled
        self._pause = Event()

    def current(self, service: str) -> Scale:
        bounds = bounds_of(service, self._scaled)
        found = self._call("GET", "")
        spec, status = found.get("spec") or {}, found.get("status") or {}
        # The API server leaves out `readyReplicas` when it is 0, and `replicas` of a new object when it is the default.
        return Scale(int(status.get("readyReplicas") or 0), int(spec.get("replicas", 1)), bounds.minimum, bounds.maximum)

    def set(self, service: str, number: int) -> None:
        checked(service, number, self._scaled)
        for attempt in range(1, CONFLICTS + 1):
            try:
                self._call("PATCH", "/scale", {"spec": {"replicas": number}})
            except _Conflict as error:
                if attempt == CONFLICTS:
                    raise Unavailable(f"{error}, {CONFLICTS} times in a row") from error
                self._pause.wait(_AGAIN_SECONDS * attempt)
            else:
                return

    def _call(self, method: str, subresource: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Of the Deployment."""
        namespace, deployment = urllib.parse.quote(self._namespace(), safe=""), urllib.parse.quote(self._settings.deployment, safe="")
        url = f"{self._settings.api_url.rstrip('/')}/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}{subresource}"
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self._mounted('token')}", "Content-Type": _MERGE}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method, headers=headers)  # noqa: S310 - http(s) is checked above
        try:
            with urllib.request.urlopen(request, timeout=self._settings.timeout_seconds, context=self._trust()) as answer:  # noqa: S310
                parsed = json.loads(answer.read(_ANSWER_BYTES))
        except urllib.error.HTTPError as error:
            raise self._translated(error, method, subresource) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Unavailable(f"the API server at {self._settings.api_url} does not answer: {error}") from error
        if not isinstance(parsed, dict):
            raise Unavailable(f"{self._settings.api_url} does not answer like a Kubernetes API server")
        return parsed

    def _trust(self) -> ssl.SSLContext | None:
        if not self._settings.api_url.startswith("https:"):
            return None
        try:
            return ssl.create_default_context(cafile=str(self._settings.service_account / "ca.crt"))
        except OSError as error:
            raise self._no_account(error) from error

    def _namespace(self) -> str:
        return self._settings.namespace or self._mounted("namespace")

    def _mounted(self, name: str) -> str:
        """Read at each call: Kubernetes renews the token in place."""
        try:
            return (self._settings.service_account / name).read_text().strip()
        except OSError as error:
            raise self._no_account(error) from error

    def _no_account(self, error: OSError) -> Unavailable:
        return Unavailable(f"no service account is mounted in {self._settings.service_account} ({error}); EVERGREEN_SCALER__KIND=kubernetes is for a pod")

    def _translated(self, error: urllib.error.HTTPError, method: str, subresource: str) -> EvergreenError:
        """The answer's `message` is Kubernetes' own sentence: it names verb, resource and account."""
        with error:
            text = error.read(_ANSWER_BYTES).decode("utf-8", "replace")
        try:
            said = json.loads(text)
        except ValueError:
            said = {}
        message = (said.get("message") if isinstance(said, dict) else None) or error.reason
        what = f"the API server answered {error.code} to {method} deployments{subresource}: {str(message)[:300]}"
        match error.code:
            case 409:
                return _Conflict(what)
            case 404 | 400 | 422:
                return InvalidRequest(f"{what}; EVERGREEN_SCALER__NAMESPACE and __DEPLOYMENT name what is scaled")
            case 401 | 403:
                return Unavailable(f"{what}; the pod's service account needs get on deployments and patch on deployments/scale")
            case _:
                return Unavailable(what)
