"""What DNS names, asked of a real (small) server on loopback."""

from __future__ import annotations

import dns.resolver
import pytest
import trio

from lasso_trio.cluster import discovery as module
from lasso_trio.cluster.address import Address
from lasso_trio.cluster.discovery import Discovery, DnsFault
from tests.e2e.names import Names


@pytest.fixture
async def names(nursery: trio.Nursery) -> Names:
    made = Names()
    await nursery.start(made.serve)
    return made


def asking(names: Names, query: str) -> Discovery:
    return Discovery(query, 4000, ("127.0.0.1", names.port))


async def test_a_and_aaaa_records_with_the_port_of_the_cluster(names: Names) -> None:
    names.records = {("lasso.internal.", "A"): ["127.0.0.2", "127.0.0.1"], ("lasso.internal.", "AAAA"): ["::1"]}
    assert await asking(names, "lasso.internal").look() == {
        Address("127.0.0.1", 4000),
        Address("127.0.0.2", 4000),
        Address("::1", 4000),
    }


async def test_srv_records_bring_their_own_ports(names: Names) -> None:
    names.records = {
        ("_lasso._tcp.internal.", "SRV"): ["0 0 4001 a.internal.", "0 0 4002 b.internal."],
        ("a.internal.", "A"): ["127.0.0.1"],
        ("b.internal.", "A"): ["127.0.0.1"],
    }
    assert await asking(names, "_lasso._tcp.internal").look() == {
        Address("127.0.0.1", 4001),
        Address("127.0.0.1", 4002),
    }


async def test_a_target_that_is_gone_does_not_hide_the_others(names: Names) -> None:
    names.records = {
        ("_lasso._tcp.internal.", "SRV"): ["0 0 4001 a.internal.", "0 0 4002 gone.internal."],
        ("a.internal.", "A"): ["127.0.0.1"],
    }
    assert await asking(names, "_lasso._tcp.internal").look() == {Address("127.0.0.1", 4001)}


async def test_each_look_asks_anew(names: Names) -> None:
    names.records = {("lasso.internal.", "A"): ["127.0.0.1"]}
    discovery = asking(names, "lasso.internal")
    await discovery.look()
    names.records = {("lasso.internal.", "A"): ["127.0.0.2"]}
    assert await discovery.look() == {Address("127.0.0.2", 4000)}


@pytest.mark.parametrize(
    ("query", "broken", "why"),
    [
        ("gone.internal", False, "no such name"),
        ("empty.internal", False, "no addresses"),
        ("x.internal", True, "SERVFAIL"),
    ],
)
async def test_a_fault_says_why(names: Names, query: str, broken: bool, why: str) -> None:
    names.records, names.broken = {("empty.internal.", "TXT"): ["x"]}, broken
    with pytest.raises(DnsFault, match=why):
        await asking(names, query).look()


async def test_as_long_as_it_fails_in_one_way_one_thing_is_said(names: Names) -> None:
    names.broken, said = True, set()
    for _ in range(20):  # the questions for A and AAAA fail in any order
        with pytest.raises(DnsFault) as raised:
            await asking(names, "x.internal").look()
        said.add(str(raised.value))
    assert len(said) == 1


async def test_a_server_that_says_nothing_is_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIFETIME_S", 0.05)
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as silent:
        await silent.bind(("127.0.0.1", 0))
        with pytest.raises(DnsFault, match="in time"):
            await Discovery("lasso.internal", 4000, silent.getsockname()).look()


async def test_a_machine_without_a_resolver_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr("dns.asyncresolver.Resolver", none)
    with pytest.raises(DnsFault, match="no resolver"):
        await Discovery("lasso.internal", 4000).look()
