"""What one address holds: counted by the address, IPv6 by its /64, never for trusted proxies, and given back."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.server.address_tally import NOBODY, AddressTally, address_of

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def test_one_address_is_refused_beyond_its_share_and_others_are_not() -> None:
    tally = AddressTally(2)
    assert [tally.take("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert tally.take("192.0.2.2")
    assert (tally.refused, len(tally)) == (1, 2)
    tally.give_back("192.0.2.1")
    assert tally.take("192.0.2.1")


def test_what_is_refused_is_not_held() -> None:
    tally = AddressTally(10)
    assert tally.take("a", 6)
    assert not tally.take("a", 5)
    assert tally.take("a", 4)


def test_without_a_limit_or_an_address_nothing_is_counted() -> None:
    for tally, address in ((AddressTally(0), "192.0.2.1"), (AddressTally(1), NOBODY)):
        assert all(tally.take(address) for _ in range(9))
        assert len(tally) == 0
        tally.give_back(address)


def test_giving_back_too_much_is_a_bug() -> None:
    tally = AddressTally(5)
    tally.take("a")
    with pytest.raises(AssertionError):
        tally.give_back("a", 2)


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("10.1.2.3", NOBODY),
        ("fd00::1", NOBODY),
        ("2001:db8:0:1:aaaa::1", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:bbbb::2", "2001:db8:0:1::/64"),
        ("unix", "unix"),
    ],
)
def test_ipv6_is_told_apart_by_its_network_and_a_trusted_proxy_is_nobody(peer: str, address: str) -> None:
    assert address_of(peer, PROXIES) == address


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5), st.booleans())))
def test_what_is_given_back_is_forgotten(steps: list[tuple[str, int, bool]]) -> None:
    tally, held = AddressTally(8), list[tuple[str, int]]()
    for address, size, ends in steps:
        if tally.take(address, size):
            held.append((address, size))
        if ends and held:
            tally.give_back(*held.pop(0))
        assert all(sum(n for who, n in held if who == a) <= 8 for a in "abc")
    for each in held:
        tally.give_back(*each)
    assert len(tally) == 0
