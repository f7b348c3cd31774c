"""A resolver that is slow or down does not stop calls to a host that was known."""

from __future__ import annotations

import socket

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from lasso_trio.upstream.addresses import RETRY_S, TTL_S, Address, AddressBook, look_up
from lasso_trio.upstream.faults import ResolveFault

V4 = Address(socket.AF_INET, ("192.0.2.1", 80))
V4B = Address(socket.AF_INET, ("192.0.2.2", 80))
V6 = Address(socket.AF_INET6, ("2001:db8::1", 80, 0, 0))


class Resolver:
    """Answers what it is told to, and counts."""

    def __init__(self, *answer: Address) -> None:
        self.answer = list(answer)
        self.asked = 0
        self.takes = 0.0
        self.fails = False

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked += 1
        await trio.sleep(self.takes)
        if self.fails:
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return self.answer


def book(resolver: Resolver) -> AddressBook:
    return AddressBook("host.test", 80, look_up=resolver)


async def test_what_was_resolved_is_remembered_for_a_minute(autojump_clock: trio.abc.Clock) -> None:
    resolver = Resolver(V4)
    known = book(resolver)
    assert await known.addresses() == [V4]
    await trio.sleep(TTL_S - 1)
    await known.addresses()
    assert resolver.asked == 1
    await trio.sleep(2)
    resolver.answer = [V4B]
    assert await known.addresses() == [V4B]
    assert resolver.asked == 2


async def test_many_at_once_ask_once(autojump_clock: trio.abc.Clock) -> None:
    resolver = Resolver(V4)
    resolver.takes = 1
    known = book(resolver)
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(known.addresses)
    assert resolver.asked == 1


async def test_a_cancelled_question_is_asked_by_the_next(autojump_clock: trio.abc.Clock) -> None:
    resolver = Resolver(V4)
    resolver.takes = 10
    known = book(resolver)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(known.addresses)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert await known.addresses() == [V4]
    assert resolver.asked == 2


@pytest.mark.parametrize("accident", ["fails", "hangs", "forgets"])
async def test_old_addresses_serve_while_the_resolver_is_ill(autojump_clock: trio.abc.Clock, accident: str) -> None:
    resolver = Resolver(V4)
    known = book(resolver)
    await known.addresses()
    await trio.sleep(TTL_S + 1)
    if accident == "fails":
        resolver.fails = True
    elif accident == "hangs":
        resolver.takes = 1_000
    else:
        resolver.answer = []
    begun = trio.current_time()
    assert await known.addresses() == [V4]
    assert trio.current_time() - begun <= 2
    await known.addresses()
    assert resolver.asked == 2, "and it is not asked again at once"
    await trio.sleep(RETRY_S + 1)
    await known.addresses()
    assert resolver.asked == 3


async def test_a_host_nobody_knows_is_a_fault_each_time(autojump_clock: trio.abc.Clock) -> None:
    resolver = Resolver()
    known = book(resolver)
    with pytest.raises(ResolveFault) as caught:
        await known.addresses()
    assert caught.value.reason == "no_address"
    resolver.fails = True
    with pytest.raises(ResolveFault) as caught:
        await known.addresses()
    assert (caught.value.reason, caught.value.dispatched) == ("resolver", False)


async def test_distrust_asks_again_but_not_in_a_storm(autojump_clock: trio.abc.Clock) -> None:
    resolver = Resolver(V4)
    known = book(resolver)
    await known.addresses()
    known.distrust()
    await known.addresses()
    assert resolver.asked == 1
    await trio.sleep(RETRY_S + 1)
    await known.addresses()
    assert resolver.asked == 2


async def test_families_take_turns() -> None:
    assert await book(Resolver(V6, V4, V4B)).addresses() == [V6, V4, V4B]
    assert await book(Resolver(V4, V4B, V6)).addresses() == [V4, V6, V4B]


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
async def test_literal_addresses_are_not_resolved(host: str, family: socket.AddressFamily) -> None:
    resolver = Resolver()
    (address,) = await AddressBook(host, 80, look_up=resolver).addresses()
    assert (address.family, address.where[:2], resolver.asked) == (family, (host, 80), 0)


async def test_the_systems_resolver_knows_localhost() -> None:
    assert any(address.where[1] == 80 for address in await look_up("localhost", 80))
