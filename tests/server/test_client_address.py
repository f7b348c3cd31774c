"""Who a call is from: the spoofing table."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from lasso_trio.server.client_address import client_address, is_trusted

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("192.0.2.1/32"), ip_network("fd00::/8")]

# peer, X-Forwarded-For, who it is taken for
TABLE = [
    # nobody in front
    ("203.0.113.5", "", "203.0.113.5"),
    ("203.0.113.5", "198.51.100.1", "203.0.113.5"),
    ("203.0.113.5", "10.0.0.1", "203.0.113.5"),
    ("192.0.2.2", "198.51.100.1", "192.0.2.2"),
    # a trusted proxy in front
    ("10.0.0.1", "", "10.0.0.1"),
    ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
    ("192.0.2.1", "198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "  198.51.100.1  ", "198.51.100.1"),
    ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
    ("fd00::1", "198.51.100.1", "198.51.100.1"),
    ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "fe80::1%eth0", "fe80::1%eth0"),
    # several
    ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
    ("10.0.0.1", "198.51.100.1, 10.0.0.2, 10.0.0.3", "198.51.100.1"),
    ("10.0.0.1", "10.0.0.4, 10.0.0.3", "10.0.0.4"),
    # what the client wrote itself stands to the left of what the first trusted proxy wrote
    ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "10.0.0.9, 198.51.100.1", "198.51.100.1"),
    ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
    # nonsense ends the chain at the last one that is known
    ("10.0.0.1", "unknown", "10.0.0.1"),
    ("10.0.0.1", "nonsense, 10.0.0.2", "10.0.0.2"),
    ("10.0.0.1", "198.51.100.1, , 10.0.0.2", "10.0.0.2"),
    ("10.0.0.1", ",", "10.0.0.1"),
    ("10.0.0.1", "198.51.100.300", "10.0.0.1"),
    # as some proxies write it
    ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
    ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
    ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
]


@pytest.mark.parametrize(("peer", "forwarded_for", "client"), TABLE)
def test_a_claim_is_believed_as_far_as_trusted_proxies_wrote_it(peer: str, forwarded_for: str, client: str) -> None:
    assert client_address(peer, forwarded_for, TRUSTED) == client


@pytest.mark.parametrize(("peer", "forwarded_for", "_"), TABLE)
def test_without_trusted_proxies_nothing_is_believed(peer: str, forwarded_for: str, _: str) -> None:
    assert client_address(peer, forwarded_for, []) == peer


def test_versions_are_not_mixed_up() -> None:
    assert not is_trusted("2001:db8::1", [ip_network("0.0.0.0/0")])
    assert not is_trusted("203.0.113.5", [ip_network("::/0")])
    assert is_trusted("::ffff:203.0.113.5", [ip_network("203.0.113.0/24")])
    assert not is_trusted("no address", [ip_network("0.0.0.0/0")])
