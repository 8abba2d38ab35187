"""POST to an address a setting names, or GET a document from it, without becoming a way into the network this runs in.

Guarantee: only hosts that are listed are spoken to, over TLS unless listed as plain, at addresses that were checked: every address the
name resolves to must be public unless the host is listed as private, and the connection goes to one of those very addresses (a name
that resolves differently a moment later changes nothing). No redirect is followed, no proxy used, nothing of the answer read but its
status, and of a document at most so much. It ends within its time, whatever the other side does."""

from __future__ import annotations

import http.client
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from evergreen.core.errors import EvergreenError

Resolve = Callable[[str, int], Sequence[str]]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(EvergreenError):
    """The target breaks a rule; trying again does not help. The message names the host, never the URL: its path may be a secret."""


class NoAnswer(EvergreenError):
    """It was not reached, or not in time."""


@dataclass(frozen=True)
class Hosts:
    """Entries are `host`, for the scheme's usual port, or `host:port`."""

    allowed: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    """Of the allowed ones those that may be spoken to without TLS."""
    private: tuple[str, ...] = ()
    """Of the allowed ones those that may be inside: private, loopback or link-local addresses."""


@dataclass(frozen=True)
class Target:
    host: str
    port: int
    tls: bool
    path: str
    private: bool


def target_of(url: str, hosts: Hosts) -> Target:
    """Raises Refused."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise Refused("the URL cannot be read") from None
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in ("https", "http") or not host:
        raise Refused("a webhook's URL begins with https:// and names a host")
    if parts.username is not None or parts.password is not None:
        raise Refused(f"{host}: no user or password in the URL of a webhook; the signature says who it is")
    if not _listed(host, port, parts.scheme, hosts.allowed):
        raise Refused(f"{host}:{port} is not in EVERGREEN_NOTIFY__WEBHOOK__ALLOWED_HOSTS")
    if parts.scheme == "http" and not _listed(host, port, parts.scheme, hosts.plain):
        raise Refused(f"{host}:{port} without TLS: use https, or list it in EVERGREEN_NOTIFY__WEBHOOK__PLAIN_HOSTS")
    return Target(host, port, parts.scheme == "https", _path(parts), _listed(host, port, parts.scheme, hosts.private))


def resolve(host: str, port: int) -> Sequence[str]:
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def checked(target: Target, addresses: Sequence[str]) -> Sequence[str]:
    """The same addresses. Raises Refused when one of them may not be spoken to: a mixed answer is an attack or a mistake."""
    for text in addresses:
        address = _innermost(ipaddress.ip_address(text.partition("%")[0]))
        if address.is_multicast or address.is_unspecified or (not address.is_global and not target.private):
            raise Refused(f"{target.host} resolves to {address}, which is not public: list the host in EVERGREEN_NOTIFY__WEBHOOK__PRIVATE_HOSTS if it is meant")
    return addresses


def post(target: Target, body: bytes, headers: Mapping[str, str], timeout: float, find: Resolve = resolve) -> int:
    """The answer's status. Raises Refused, NoAnswer."""
    return _first_answer(target, "POST", body, headers, timeout, find, 0)[0]


def get(target: Target, headers: Mapping[str, str], timeout: float, most: int, find: Resolve = resolve) -> bytes:
    """A document of at most `most` bytes. Raises Refused, NoAnswer, for any status but 200 too."""
    status, document = _first_answer(target, "GET", None, headers, timeout, find, most + 1)
    if status != 200 or len(document) > most:
        raise NoAnswer(f"{target.host}:{target.port} gave {status if status != 200 else f'more than {most} bytes'}")
    return document


def _first_answer(target: Target, method: str, body: bytes | None, headers: Mapping[str, str], timeout: float, find: Resolve, most: int) -> tuple[int, bytes]:
    until = time.monotonic() + timeout
    addresses = checked(target, _resolved(target, timeout, find))
    last: OSError | http.client.HTTPException | None = None
    for address in addresses:
        rest = until - time.monotonic()
        if rest <= 0:
            break
        try:
            return _exchange(_Pinned(target, address, rest), method, body, headers, most)
        except (OSError, http.client.HTTPException) as error:
            last = error
    why = "no answer in time" if last is None or isinstance(last, TimeoutError) or time.monotonic() >= until else type(last).__name__
    raise NoAnswer(f"{target.host}:{target.port} gave {why} (limit {timeout:g} s)")


def _exchange(connection: _Pinned, method: str, body: bytes | None, headers: Mapping[str, str], most: int) -> tuple[int, bytes]:
    # A limit per read would let a server that drips bytes hold this for ever.
    guard = threading.Timer(connection.timeout or 0, connection.cut)
    guard.daemon = True
    guard.start()
    try:
        connection.request(method, connection.target.path, body=body, headers={**headers, "Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read(most) if most else b""
    finally:
        guard.cancel()
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """Speaks to one address, in the name of the host: SNI, certificate and Host header are the name's."""

    def __init__(self, target: Target, address: str, timeout: float) -> None:
        super().__init__(target.host, target.port, timeout=timeout)
        self.default_port = 443 if target.tls else 80  # for the Host header
        self.target = target
        self._address = address
        self._raw: socket.socket | None = None

    def connect(self) -> None:
        self._raw = socket.create_connection((self._address, self.target.port), self.timeout)
        self.sock = self._raw
        if self.target.tls:
            self.sock = ssl.create_default_context().wrap_socket(self._raw, server_hostname=self.target.host)

    def cut(self) -> None:
        for one in (self.sock, self._raw):
            if one is not None:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue


def _resolved(target: Target, timeout: float, find: Resolve) -> Sequence[str]:
    """A name server that does not answer holds a thread of its own, not this one."""
    answers: queue.SimpleQueue[Sequence[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(find(target.host, target.port))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        found = answers.get(timeout=timeout)
    except queue.Empty:
        raise NoAnswer(f"the name {target.host} was not resolved within {timeout:g} s") from None
    if isinstance(found, OSError | UnicodeError) or not found:
        raise NoAnswer(f"the name {target.host} does not resolve")
    return found


def _listed(host: str, port: int, scheme: str, entries: Sequence[str]) -> bool:
    usual = port == (443 if scheme == "https" else 80)
    return any(entry.lower() == f"{host}:{port}" or entry.lower() == f"[{host}]:{port}" or (usual and entry.lower() == host) for entry in entries)


def _innermost(address: _Address) -> _Address:
    """An IPv4 address may travel inside an IPv6 one: that is where the packets go."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def _path(parts: SplitResult) -> str:
    return f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
