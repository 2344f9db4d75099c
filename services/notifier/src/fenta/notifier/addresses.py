"""Which addresses may be called: public ones on the usual ports, and those the deployment allows by name."""

import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from yarl import URL

PORTS = frozenset({443, 8443})
LONGEST_URL = 2048

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The special-purpose registries of IANA, and the one host address that a large cloud gives its own agent.
NOT_PUBLIC_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Outside of it lie loopback, mapped and compatible IPv4, NAT64, unique local, link-local, site-local and multicast.
GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
NOT_PUBLIC_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)


class UrlRefused(Exception):
    """This URL is not called; the message is a sentence for its owner and names no address of ours."""


class AddressRefused(OSError):
    """A connection that must not be made. An OSError, so that the next address of a name gets its turn."""

    def __init__(self) -> None:
        super().__init__("the address is not allowed")


def networks(text: str) -> tuple[Network, ...]:
    """`10.0.0.0/8,::1/128` as networks. Raises ValueError."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in NOT_PUBLIC_V4)
    return address in GLOBAL_V6 and not any(address in network for network in NOT_PUBLIC_V6)


@dataclass(frozen=True)
class AddressGuard:
    """Decides by the address of the socket itself, after all names are resolved."""

    allowed: tuple[Network, ...] = ()

    def allows(self, host: str, port: int, *, secure: bool) -> bool:
        """`host` is an address, with or without a zone."""
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if any(address in network for network in self.allowed):
            return True
        return secure and port in PORTS and is_public(address)

    def socket_factory(self, *, secure: bool) -> Callable[[Any], socket.socket]:
        """Makes sockets for aiohttp, which asks it for every address it is about to connect to."""

        def make(info: Any) -> socket.socket:
            family, kind, protocol, _, place = info
            if not self.allows(place[0], place[1], secure=secure):
                raise AddressRefused
            return socket.socket(family=family, type=kind, proto=protocol)

        return make

    def check_url(self, text: str) -> URL:
        """What can be said without asking DNS. Raises `UrlRefused`."""
        url = _parse(text)
        host = url.raw_host or ""
        if _is_address(host) and not self.allows(host, url.port or 0, secure=url.scheme == "https"):
            raise UrlRefused("Webhooks go to public addresses only, by https on port 443 or 8443.")
        if not self.allowed and (url.scheme != "https" or url.port not in PORTS):
            raise UrlRefused("Webhooks go by https on port 443 or 8443.")
        return url

    def check_answers(self, url: URL, addresses: Iterable[str]) -> None:
        """What DNS said about the host. Raises `UrlRefused` when none of it may be called."""
        secure = url.scheme == "https"
        if not any(self.allows(address, url.port or 0, secure=secure) for address in addresses):
            raise UrlRefused("The host has no address that webhooks may go to.")


def _parse(text: str) -> URL:
    if len(text) > LONGEST_URL:
        raise UrlRefused(f"The URL is longer than {LONGEST_URL} characters.")
    if any(character.isspace() or ord(character) < 33 or character in "\\\x7f" for character in text):
        raise UrlRefused("The URL holds a space, a backslash or a control character.")
    try:
        url = URL(text)
        host, port = url.raw_host, url.port
    except ValueError as error:
        raise UrlRefused("The URL cannot be read.") from error
    if url.scheme not in ("http", "https") or not host or not port:
        raise UrlRefused("The URL must be absolute and begin with https://.")
    if url.raw_user is not None or url.raw_password is not None or url.raw_fragment:
        raise UrlRefused("The URL must not hold a user, a password or a fragment.")
    return url


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
