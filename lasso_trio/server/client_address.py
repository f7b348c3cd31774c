"""Whose call is it? The peer's address, or what trusted proxies say of the client behind them.

`X-Forwarded-For` is a claim: it is believed only as far as it was written by a proxy from `LASSO_TRUSTED_PROXIES`.
Read from the right, the first address that is not such a proxy is the client. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    parsed = _parsed(address) if trusted else None
    return parsed is not None and any(parsed in network for network in trusted if network.version == parsed.version)


def client_address(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """The client's address as text. `forwarded_for` is the header's value, empty when there is none."""
    if not forwarded_for or not is_trusted(peer, trusted):
        return peer
    client = peer
    for hop in reversed(forwarded_for.split(",")):
        address = _without_port(hop.strip())
        if _parsed(address) is None:
            break
        client = address
        if not is_trusted(address, trusted):
            break
    return client


def _without_port(hop: str) -> str:
    """`1.2.3.4:5`, `[::1]:5` and `[::1]` as some proxies write them; a bare address stays."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
