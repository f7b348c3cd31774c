"""The routed reader against simulated providers, through the real routing, in virtual time over memory streams."""

from __future__ import annotations

import msgspec
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.secret import SecretUrl
from lasso_trio.devnet import Chain as SimulatedChain
from lasso_trio.devnet import Failure, Faults, Kind
from lasso_trio.devnet import Provider as SimulatedProvider
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import Service
from lasso_trio.subscriptions.reader import CurrentReader, RoutedReader, Unreadable
from lasso_trio.subscriptions.wanted import LogFilter
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.http1 import Pool
from tests.subscriptions.simulated import SimulatedReader

CHAIN = SimulatedChain(31337, block_time=None, start_height=50)


def reader(nursery: trio.Nursery, *faults: Faults) -> RoutedReader:
    simulated = {name: SimulatedProvider.make(name, CHAIN, its) for name, its in zip("ab", faults, strict=False)}

    def make_pool(endpoint: Endpoint) -> Pool:
        async def dial() -> Dialled:
            ours, theirs = trio.testing.memory_stream_pair()
            nursery.start_soon(simulated[endpoint.host].handle, theirs)
            await trio.lowlevel.checkpoint()
            return Dialled(ours)

        return Pool(endpoint, dial=dial)

    providers = tuple(Provider(name, name, name, SecretUrl(f"http://{name}/")) for name in simulated)
    chain = Chain("test", 31337, "Test", providers)
    profile = Profile("default", "Default", (chain,))
    registry = Registry(make_pool)
    registry.add([profile])
    return RoutedReader(Service(), RoutedChain.of(profile, chain, registry))


async def test_blocks_are_read_by_number_by_hash_and_at_the_tip(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    r = reader(nursery, Faults())
    tip, seven = await r.latest(), await r.by_number(7)
    assert tip is not None
    assert seven is not None
    assert (tip.number, seven.number) == (50, 7)
    again = await r.by_hash(seven.hash)
    assert again is not None
    assert again.raw == seven.raw
    assert b'transactions"' not in seven.raw
    nursery.cancel_scope.cancel()


async def test_a_block_that_is_not_there_is_none(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    r = reader(nursery, Faults())
    assert await r.by_number(51) is None
    assert await r.by_hash("0x" + "ab" * 32) is None
    nursery.cancel_scope.cancel()


async def test_what_is_asked_for_is_one_parameter_whatever_stands_in_it(
    autojump_clock: MockClock, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    async def ask(self: RoutedReader, name: str, params: bytes) -> bytes:
        asked.append(params)
        return b"null"

    monkeypatch.setattr(RoutedReader, "ask", ask)
    hash_ = '0x"],"method":"miner_stop","params":["'
    assert await reader(nursery, Faults()).by_hash(hash_) is None
    assert [msgspec.json.decode(params) for params in asked] == [[hash_, False]]
    nursery.cancel_scope.cancel()


async def test_a_blocks_logs_are_read_by_its_hash(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    r, block = reader(nursery, Faults()), CHAIN.view(0.0).block(7)
    assert block is not None
    every = [log["logIndex"] for log in block.logs()]
    assert [hex(log.index) for log in await r.logs(block.hash, LogFilter())] == every
    assert await r.logs(block.hash, LogFilter(("0x" + "00" * 20,))) == []
    nursery.cancel_scope.cancel()


async def test_logs_of_a_block_that_the_node_does_not_have_are_unreadable(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    with pytest.raises(Unreadable, match="refused"):
        await reader(nursery, Faults()).logs("0x" + "ab" * 32, LogFilter())
    nursery.cancel_scope.cancel()


async def test_a_provider_that_fails_is_failed_over(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    r = reader(nursery, Faults(failures=(Failure(Kind.HTTP, status=500),)), Faults())
    for _ in range(4):
        tip = await r.latest()
        assert tip is not None
        assert tip.number == 50
    nursery.cancel_scope.cancel()


async def test_when_nobody_answers_it_is_unreadable(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    with pytest.raises(Unreadable):
        await reader(nursery, Faults(failures=(Failure(Kind.HTTP, status=500),))).latest()
    nursery.cancel_scope.cancel()


async def test_a_reload_exchanges_the_chain_that_is_read(autojump_clock: MockClock) -> None:
    chain, other = SimulatedChain(block_time=None, start_height=5), SimulatedChain(block_time=None, start_height=9)
    readers = [SimulatedReader(chain), SimulatedReader(other)]
    current = CurrentReader(lambda: readers[0])
    tip = await current.latest()
    assert tip is not None
    readers.reverse()
    other_tip = await current.latest()
    assert other_tip is not None
    assert (tip.number, other_tip.number) == (5, 9)
    assert await current.by_number(9) is not None
    assert await current.by_hash(other_tip.hash) is not None
    logs = await current.logs(other_tip.hash, LogFilter())
    assert all(log.block == other_tip.hash for log in logs)


async def test_what_the_node_reads_for_itself_is_no_clients_call(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    r = reader(nursery, Faults(failures=(Failure(Kind.HTTP, status=500),)), Faults())
    for _ in range(40):  # whom each asks first is drawn
        await r.latest()
    clients, own = r.chain.counts, r.chain.own_counts
    assert (clients.calls, clients.failovers, clients.hedges.fired) == (0, 0, 0)
    assert own.calls == 40
    assert own.failovers + own.hedges.fired > 0
    nursery.cancel_scope.cancel()
