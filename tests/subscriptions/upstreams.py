"""A simulated provider at the other end of a keeper's dials: over memory streams, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import attrs
import trio
import trio.testing

from lasso_trio.config.profile import Transport
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.devnet import Chain, Faults, Provider
from lasso_trio.providers.channel import Channel, Version
from lasso_trio.providers.head import Head
from lasso_trio.subscriptions.keeper import Keeper
from lasso_trio.subscriptions.keeper_heads import Terms
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.faults import ConnectFault
from lasso_trio.upstream.websocket import ws_endpoint

KEY = "0123456789abcdef0123456789abcdef"
URL = SecretUrl(f"ws://node.example/v3/{KEY}")
BLOCK_S = 2.0
START = 100


def wall() -> float:
    """Unix time, as the simulated chain has it."""
    return 1_700_000_000 + START * BLOCK_S + trio.current_time()


@attrs.define(eq=False)
class Upstream:
    """`down` refuses dials. `dials` counts them. `serve`: what is dialled instead of the node. `tasks`: where keepers
    run, if not where the node does.
    """

    nursery: trio.Nursery
    node: Provider
    down: bool = False
    dials: int = 0
    serve: Callable[[trio.StapledStream], Awaitable[None]] | None = None
    tasks: trio.Nursery | None = None

    @classmethod
    def make(cls, nursery: trio.Nursery, faults: Faults | None = None) -> Upstream:
        return cls(nursery, Provider.make("one", Chain(start_height=START, block_time=BLOCK_S), faults or Faults()))

    async def dial(self) -> Dialled:
        self.dials += 1
        await trio.lowlevel.checkpoint()
        if self.down:
            raise ConnectFault("refused").at("ws://node.example")
        ours, theirs = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.serve or self.node.handle, theirs)
        return Dialled(ours)

    def keeper(self, *, chain_id: int = 31337, alone: bool = False, terms: Terms | None = None) -> Keeper:
        channel = Channel("1:one:0", "ws://node.example/***", Transport.WS, None, Version(), Random(1))
        endpoint = ws_endpoint(URL, {"x-key": Secret(KEY[::-1])})
        made = Keeper(channel, Head(), chain_id, endpoint, self.dial, terms or Terms(), alone, Random(1), wall=wall)
        (self.tasks or self.nursery).start_soon(made.run)
        return made


async def until_connected(keeper: Keeper) -> None:
    with trio.fail_after(600):
        while not keeper.connected:
            await keeper.changed().wait()


async def until_lost(keeper: Keeper) -> None:
    with trio.fail_after(600):
        while keeper.connected:
            await keeper.changed().wait()
