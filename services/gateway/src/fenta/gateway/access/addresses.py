"""Where a request comes from, as far as it can be believed."""

import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(text: str) -> list[Network]:
    """A comma list of networks such as `10.0.0.0/8`."""
    return [ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]


def client_address(peer: str, forwarded_for: str, proxies: Sequence[Network]) -> str:
    """The last address that none of our proxies has; anything further left may be invented by the client."""
    chain = [*(part.strip() for part in forwarded_for.split(",") if part.strip()), peer]
    for address in reversed(chain):
        if not _is_one_of(address, proxies):
            return address
    return peer


def _is_one_of(address: str, proxies: Sequence[Network]) -> bool:
    try:
        return any(ipaddress.ip_address(address) in network for network in proxies)
    except ValueError:
        return False
