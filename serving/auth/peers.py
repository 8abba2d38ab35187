"""Where a request comes from, as far as that can be known."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

_Address = IPv4Address | IPv6Address
_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")
DASHBOARD = "x-evergreen-dashboard"
"""Holds the secret the dashboard shows; `dashboard.sign_in` sends it with a visitor's address."""
LONGEST_CHAIN = 20


class Peers:
    """Guarantee: what a caller writes changes the address that counts only if the connection comes from a network we were told of, or the caller
    shows the dashboard's secret. The dashboard is not known by its address: it shares loopback with every process of the machine. Failure: the secret
    leaks. Remedy: its holder escapes limits of addresses, not those of accounts; give another one and start both again (docs/adr/0030)."""

    def __init__(self, trusted: Sequence[str] = (), dashboard_secret: str = "") -> None:
        """`trusted`: networks. An empty secret is nobody's."""
        self._trusted = tuple(ip_network(network) for network in trusted)
        self._secret = dashboard_secret.encode()

    def of(self, scope: Scope, headers: Mapping[str, str]) -> str:
        """The address whose limit counts: the socket's, or, where that is a proxy we believe, the one nearest to us that is none.

        Of IPv6 the network of 64 bits: that is what one caller has."""
        address = self._nearest(scope, headers)
        if address is None:
            return "nowhere"
        if isinstance(address, IPv6Address):
            return str(IPv6Network((int(address) >> 64 << 64, 64)))
        return str(address)

    def loopback(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        """Asked from this machine itself: by nobody a proxy speaks for."""
        address = _parsed((scope.get("client") or ("",))[0])
        return address is not None and address.is_loopback and not any(name in headers for name in _FORWARDED)

    def _nearest(self, scope: Scope, headers: Mapping[str, str]) -> _Address | None:
        address = _parsed((scope.get("client") or ("",))[0])
        if address is None or not (self._trusts(address) or self._is_dashboard(headers)):
            return address
        for hop in reversed(headers.get("x-forwarded-for", "").split(",")[-LONGEST_CHAIN:]):
            found = _parsed(hop.strip())
            if found is None:
                return address
            address = found
            if not self._trusts(address):
                return address
        return address

    def _is_dashboard(self, headers: Mapping[str, str]) -> bool:
        shown = headers.get(DASHBOARD)
        return shown is not None and self._secret != b"" and hmac.compare_digest(shown.encode("utf-8", "replace"), self._secret)

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted)


def _parsed(text: str) -> _Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found
