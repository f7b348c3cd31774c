"""A simulated EVM chain behind simulated providers that misbehave on demand: for the demo, our tests, and yours.

No network, no binaries, no state on disk. Blocks come with a clock, everything in them is deterministic, and each
provider answers JSON-RPC over HTTP and WebSocket on one loopback port, as badly as its `Faults` say.

In a test, over real loopback sockets:

    async with Devnet.open({"good": Faults(), "bad": Faults(failures=(Failure(Kind.HTTP, status=500),))}) as net:
        my_proxy = start_with(net.url("good"), net.url("bad"))
        ...
        await net.kill("good")                                       # and later: await net.revive("good")
        net.set_faults("bad", Faults(latency=Latency.lognormal(20, 0.5), lag=3))
        net.reorg(2)
        assert net.providers["bad"].calls["eth_blockNumber"] == 3

In virtual time (pytest-trio's `autojump_clock`), over memory streams:

    provider = Provider.make("slow", Chain(), Faults(latency=Latency.constant(30_000)))
    client, server = trio.testing.memory_stream_pair()
    nursery.start_soon(provider.handle, server)
    await client.send_all(b"POST / HTTP/1.1\\r\\n...")

In a script, with fixed ports and the admin endpoint (see `admin`):

    async with trio.open_nursery() as nursery:
        net = demo_network(base_port=18545, admin_port=18540)
        await nursery.start(net.run)
        print(net.url("steady"), net.ws_url("steady"))

A chain that must stand still: `Chain(block_time=None)`, then `net.advance(n)`. `devnet_blob [n]` answers a string of n
characters. Addresses that mean something: `ACCOUNTS`, `TOKENS` (they log `Transfer`), `REVERTER` (every call reverts).
"""

from lasso_trio.devnet.blocks import ACCOUNTS, REVERTER, TOKENS, TRANSFER
from lasso_trio.devnet.chain import Chain, View
from lasso_trio.devnet.demo import demo_network
from lasso_trio.devnet.faults import Behaviour, Failure, FaultPlan, Faults, Kind, Latency
from lasso_trio.devnet.network import Devnet
from lasso_trio.devnet.provider import Provider, Seen

__all__ = [
    "ACCOUNTS",
    "REVERTER",
    "TOKENS",
    "TRANSFER",
    "Behaviour",
    "Chain",
    "Devnet",
    "Failure",
    "FaultPlan",
    "Faults",
    "Kind",
    "Latency",
    "Provider",
    "Seen",
    "View",
    "demo_network",
]
