"""A webhook reaches what is listed, signed, and nothing else, whatever the other side does."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from evergreen.adapters.safe_http import Hosts, Refused, checked, target_of
from evergreen.adapters.webhook import Webhook, signature
from evergreen.core.clock import wall_now
from evergreen.core.notices import Text
from evergreen.ports.notifier import NotDelivered
from tests.support.alerts import notice
from tests.support.receiver import Receiver, receiver

SECRET = "of-the-webhook"
PUBLIC = "93.184.216.34"


def listed(*entries: str) -> Hosts:
    return Hosts(entries, entries, entries)


def webhook(there: Receiver, hosts: Hosts | None = None, **changes: object) -> Webhook:
    return Webhook(there.url, SECRET, "en", hosts or listed(there.host), **changes)  # type: ignore[arg-type]


def test_a_listed_private_host_is_reached_and_the_signature_verifies() -> None:
    told = notice()
    with receiver() as there:
        webhook(there, wall=lambda: datetime(2025, 8, 6, tzinfo=UTC)).send(told)

    ((path, headers, body),) = there.requests
    assert path == "/hook?team=ops"
    assert (headers["Host"], headers["Idempotency-Key"], headers["Evergreen-Timestamp"]) == (there.host, str(told.id), "1754438400")
    assert headers["Evergreen-Signature"] == f"v1={signature(SECRET, '1754438400', body)}"
    assert signature("another", "1754438400", body) != signature(SECRET, "1754438400", body)
    facts = json.loads(body)
    assert (facts["id"], facts["severity"], facts["title"], facts["alerts"]) == (str(told.id), "high", "[high] Data drift", ["a"])


@pytest.mark.parametrize(
    ("language", "title"), [("ko", "[높음] 데이터 드리프트"), ("en", "[high] Data drift"), ("both", "[높음] 데이터 드리프트 / [high] Data drift")]
)
def test_it_speaks_the_languages_it_is_told_to(language: str, title: str) -> None:
    with receiver() as there:
        Webhook(there.url, SECRET, language, listed(there.host)).send(notice())  # type: ignore[arg-type]

    assert json.loads(there.requests[0][2])["title"] == title


@pytest.mark.parametrize(
    ("url", "hosts", "why"),
    [
        pytest.param("https://elsewhere.example/x", Hosts(("hooks.example",)), "ALLOWED_HOSTS", id="not-listed"),
        pytest.param("https://hooks.example:8443/x", Hosts(("hooks.example",)), "ALLOWED_HOSTS", id="another-port"),
        pytest.param("https://hooks.example.evil.example/x", Hosts(("hooks.example",)), "ALLOWED_HOSTS", id="longer-name"),
        pytest.param("https://hooks.example@evil.example/x", Hosts(("hooks.example",)), "no user", id="user-before-the-host"),
        pytest.param("http://hooks.example/x", Hosts(("hooks.example",)), "without TLS", id="plain"),
        pytest.param("file:///etc/passwd", Hosts(("",)), "https://", id="no-http"),
        pytest.param("https://hooks.example:99999/x", Hosts(("hooks.example",)), "cannot be read", id="no-port"),
        pytest.param("https://", Hosts(("hooks.example",)), "https://", id="no-host"),
    ],
)
def test_a_target_outside_the_lists_is_refused(url: str, hosts: Hosts, why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        target_of(url, hosts)
    assert "/x" not in str(refused.value)


def test_a_listed_host_is_known_in_any_case_and_on_its_own_port() -> None:
    hosts = Hosts(("Hooks.Example", "hooks.example:8443", "[::1]:9000"))

    assert target_of("https://HOOKS.example./a/b?c=d", hosts).path == "/a/b?c=d"
    assert target_of("https://hooks.example:8443/", hosts).port == 8443
    assert target_of("https://[::1]:9000", hosts).path == "/"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"),  # noqa: S104
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
    ],
)
def test_an_address_inside_is_refused_however_it_is_written(address: str) -> None:
    target = target_of("https://hooks.example/", Hosts(("hooks.example",)))

    with pytest.raises(Refused, match="PRIVATE_HOSTS"):
        checked(target, [PUBLIC, address])


@pytest.mark.parametrize("address", ["224.0.0.1", "0.0.0.0", "ff02::1"])  # noqa: S104
def test_some_addresses_are_nobodys_even_for_a_private_host(address: str) -> None:
    with pytest.raises(Refused):
        checked(target_of("https://hooks.example/", listed("hooks.example")), [address])


def test_public_addresses_pass() -> None:
    assert checked(target_of("https://hooks.example/", Hosts(("hooks.example",))), [PUBLIC, "2606:2800:220:1::1"])


def test_a_name_that_resolves_to_the_inside_is_refused_without_a_connection() -> None:
    with receiver() as there:
        hosts = Hosts((f"hooks.example:{there.port}",), (f"hooks.example:{there.port}",))
        hook = Webhook(f"http://hooks.example:{there.port}/", SECRET, "en", hosts, find=lambda _host, _port: ["127.0.0.1"])
        with pytest.raises(NotDelivered, match="not public") as refused:
            hook.send(notice())

    assert refused.value.permanent
    assert there.requests == []


def test_the_checked_address_is_the_one_that_is_called() -> None:
    """A name that is public when it is checked and inside when it is called: there is no second question."""
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with receiver() as there:
        entry = f"hooks.example:{there.port}"
        Webhook(f"http://{entry}/", SECRET, "en", listed(entry), find=rebinding).send(notice())

    assert asked == ["hooks.example"]
    assert there.requests[0][1]["Host"] == entry


def test_a_redirect_is_refused_and_not_followed() -> None:
    with receiver() as inner, receiver(status=302, location=inner.url) as there, pytest.raises(NotDelivered, match="redirects are not followed") as refused:
        webhook(there, listed(there.host, inner.host)).send(notice())

    assert refused.value.permanent
    assert (len(there.requests), inner.requests) == (1, [])


@pytest.mark.parametrize(("status", "permanent"), [(400, True), (401, True), (408, False), (429, False), (500, False), (503, False)])
def test_a_refusal_is_final_and_trouble_is_not(status: int, permanent: bool) -> None:
    with receiver(status=status) as there, pytest.raises(NotDelivered, match=str(status)) as refused:
        webhook(there).send(notice())

    assert refused.value.permanent is permanent


@pytest.mark.parametrize("drips", [False, True], ids=["hangs", "drips"])
def test_a_receiver_that_takes_its_time_is_left(drips: bool) -> None:
    with receiver(hangs=True, drips=drips) as there:
        began = time.monotonic()
        with pytest.raises(NotDelivered, match="no answer in time") as failed:
            webhook(there, timeout=0.3).send(notice())
        took = time.monotonic() - began

    assert 0.25 < took < 1.5
    assert not failed.value.permanent


def test_the_limit_is_three_seconds_unless_told_otherwise() -> None:
    with receiver(hangs=True) as there:
        began = time.monotonic()
        with pytest.raises(NotDelivered, match="limit 3 s"):
            webhook(there).send(notice())

    assert 2.9 < time.monotonic() - began < 4


def test_a_name_server_that_does_not_answer_is_left_too() -> None:
    def slow(_host: str, _port: int) -> Sequence[str]:
        time.sleep(1)
        return [PUBLIC]

    hook = Webhook("https://hooks.example/", SECRET, "en", Hosts(("hooks.example",)), timeout=0.1, find=slow)
    with pytest.raises(NotDelivered, match="was not resolved"):
        hook.send(notice())


@pytest.mark.parametrize("found", [OSError("no such host"), UnicodeError("label too long"), []], ids=["no-such-name", "no-name", "no-address"])
def test_a_name_that_does_not_resolve_may_do_so_later(found: Exception | list[str]) -> None:
    def find(_host: str, _port: int) -> Sequence[str]:
        if isinstance(found, Exception):
            raise found
        return found

    with pytest.raises(NotDelivered, match="does not resolve") as failed:
        Webhook("https://hooks.example/", SECRET, "en", Hosts(("hooks.example",)), find=find).send(notice())
    assert not failed.value.permanent


def test_nobody_listening_and_no_tls_are_failures_that_say_so() -> None:
    with receiver() as there:
        port = there.port
        tls = Webhook(f"https://127.0.0.1:{port}/token", SECRET, "en", listed(there.host))
        with pytest.raises(NotDelivered, match=f"127.0.0.1:{port} gave ") as failed:
            tls.send(notice())
    assert "token" not in str(failed.value)
    with pytest.raises(NotDelivered, match="ConnectionRefusedError"):
        webhook(there).send(notice())


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's for hooks.example, which this process trusts."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
    now = wall_now()
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=False)
    file = tmp_path / "server.pem"
    made = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def over_tls(there: Receiver, host: str) -> Webhook:
    entry = f"{host}:{there.port}"
    return Webhook(f"https://{entry}/", SECRET, "en", Hosts((entry,), (), (entry,)), find=lambda _host, _port: ["127.0.0.1"])


def test_over_tls_the_certificate_is_the_names_whatever_address_is_called(certificate: ssl.SSLContext) -> None:
    with receiver(tls=certificate) as there:
        over_tls(there, "hooks.example").send(notice())
        with pytest.raises(NotDelivered, match="SSLCertVerificationError"):
            over_tls(there, "other.example").send(notice())

    assert [headers["Host"] for _, headers, _ in there.requests] == [f"hooks.example:{there.port}"]


def test_a_body_beyond_the_bound_is_refused() -> None:
    with receiver() as there, pytest.raises(NotDelivered, match="a webhook takes 65536"):
        webhook(there).send(notice(message=Text("x" * 70_000, "")))
    assert there.requests == []
