"""Addresses are written as URLs want them."""

from __future__ import annotations

from lasso_trio.cluster.address import Address


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert str(Address("127.0.0.2", 4000)) == "127.0.0.2:4000"
    assert Address("::1", 4000).origin == "http://[::1]:4000"
