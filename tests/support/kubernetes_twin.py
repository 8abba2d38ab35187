"""The API server's answers about one Deployment (apps/v1, autoscaling/v1) over TLS with a certificate of its own.

The bodies follow the API reference; no cluster was at hand to record them from."""

from __future__ import annotations

import copy
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from evergreen.core.clock import wall_now

DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "apiVersion": "apps/v1",
    "metadata": {
        "name": "serving",
        "namespace": "mlops",
        "uid": "5f3c1b0e-8a55-4b0e-9a3c-1f4d6a0f8b11",
        "resourceVersion": "48213",
        "generation": 7,
        "creationTimestamp": "2025-05-02T08:11:40Z",
        "labels": {"app.kubernetes.io/name": "serving"},
    },
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app.kubernetes.io/name": "serving"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
    },
    "status": {
        "observedGeneration": 7,
        "replicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "conditions": [{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}],
    },
}
SCALE: dict[str, Any] = {
    "kind": "Scale",
    "apiVersion": "autoscaling/v1",
    "metadata": {"name": "serving", "namespace": "mlops", "uid": "5f3c1b0e-8a55-4b0e-9a3c-1f4d6a0f8b11", "resourceVersion": "48230"},
    "spec": {"replicas": 2},
    "status": {"replicas": 2, "selector": "app.kubernetes.io/name=serving"},
}
TOKEN = "eyJhbGciOiJSUzI1NiJ9.recorded"


def refusal(code: int, reason: str, message: str) -> tuple[int, dict[str, Any]]:
    return code, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code}


FORBIDDEN = refusal(
    403,
    "Forbidden",
    'deployments.apps "serving" is forbidden: User "system:serviceaccount:mlops:monitor" cannot patch resource "deployments/scale" in API group "apps"',
)
CONFLICT = refusal(409, "Conflict", 'Operation cannot be fulfilled on deployments.apps "serving": the object has been modified; please apply your changes')
NOT_FOUND = refusal(404, "NotFound", 'deployments.apps "serving" not found')
OVERLOADED = refusal(429, "TooManyRequests", "Too many requests, please try again later.")


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    body: Any
    headers: dict[str, str]


@dataclass
class ApiServer:
    url: str = ""
    account: Path = Path()
    deployment: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(DEPLOYMENT))
    calls: list[Call] = field(default_factory=list)
    refusals: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """Given to the next calls, first things first."""
    hang: threading.Event | None = None
    """Answers wait for it."""

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        self.calls.append(call)
        if self.refusals:
            return self.refusals.pop(0)
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "Unauthorized", "Unauthorized")
        base = "/apis/apps/v1/namespaces/mlops/deployments/serving"
        if (call.method, call.path) == ("GET", base):
            return 200, self.deployment
        if (call.method, call.path, call.headers.get("content-type")) == ("PATCH", f"{base}/scale", "application/merge-patch+json"):
            replicas = call.body["spec"]["replicas"]
            self.deployment["spec"]["replicas"] = replicas
            self.deployment["status"] |= {"replicas": replicas, "readyReplicas": replicas}
            return 200, SCALE | {"spec": {"replicas": replicas}}
        return NOT_FOUND


@contextmanager
def api_server(folder: Path) -> Iterator[ApiServer]:
    """Listening, with a service account mounted in `account`."""
    found = ApiServer(account=folder / "serviceaccount")
    found.account.mkdir()
    (found.account / "token").write_text(TOKEN)
    (found.account / "namespace").write_text("mlops")
    certificate(found.account / "ca.crt", folder / "tls.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(found.account / "ca.crt", folder / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        if found.hang is not None:
            found.hang.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def _handler(twin: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if twin.hang is not None:
                twin.hang.wait(10)
            heard = {name.lower(): value for name, value in self.headers.items()}
            code, said = twin.answer(Call(self.command, self.path, json.loads(body) if body else None, heard))
            sent = json.dumps(said).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_PATCH = _answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def certificate(certificate_file: Path, key_file: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")]), wall_now()
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(hours=1), now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
