"""A prober and one simulated provider over memory streams, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Transport
from lasso_trio.config.secret import SecretUrl
from lasso_trio.devnet import Chain, Faults, Provider
from lasso_trio.providers.breaker import State
from lasso_trio.providers.channel import Channel, Version
from lasso_trio.providers.head import Head
from lasso_trio.providers.probe_schedule import ProbeSchedule
from lasso_trio.providers.prober import Prober
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.faults import ConnectFault
from lasso_trio.upstream.http1 import Pool

EPOCH = 1_700_000_000


@attrs.define(eq=False)
class Bench:
    """`calls` is what the prober takes for the clients' calls."""

    nursery: trio.Nursery
    upstream: Provider
    down: bool = False
    calls: int = 0
    prober: Prober = attrs.field(init=False)

    async def dial(self) -> Dialled:
        await trio.lowlevel.checkpoint()
        if self.down:
            raise ConnectFault("refused")
        ours, theirs = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.upstream.handle, theirs)
        return Dialled(ours)

    def set(self, **faults: object) -> None:
        self.upstream.set_faults(Faults(**faults))  # type: ignore[arg-type]

    @property
    def head(self) -> Head:
        return self.prober.head

    @property
    def channel(self) -> Channel:
        return self.prober.channel

    @property
    def state(self) -> State:
        return self.channel.breaker.state(trio.current_time())


Build = Callable[..., Bench]


@pytest.fixture
def bench(nursery: trio.Nursery) -> Iterator[Build]:
    """`bench(interval_s=12.0, lag=3)`: an upstream on chain 1 whose prober runs. Ask for `autojump_clock` as well."""
    made: list[Bench] = []

    def build(interval_s: float = 12.0, running: bool = True, down: bool = False, **faults: object) -> Bench:
        assert isinstance(trio.lowlevel.current_clock(), trio.testing.MockClock), "ask for autojump_clock"
        chain = Chain(chain_id=1, start_height=1000, epoch=EPOCH - 2000)
        chain.start(trio.current_time())
        its = Bench(nursery, Provider.make("a", chain, Faults(**faults)), down)  # type: ignore[arg-type]
        pool = Pool(Endpoint.from_url(SecretUrl("http://a/"), {}), dial=its.dial)
        channel = Channel("1:a:0", "http://a", Transport.HTTP, pool, Version(), Random(1))
        start = trio.current_time()
        its.prober = Prober(
            channel,
            Head(),
            1,
            ProbeSchedule(interval_s),
            lambda: its.calls,
            Random(1),
            wall=lambda: EPOCH + trio.current_time() - start,
        )
        if running:
            nursery.start_soon(its.prober.run)
        made.append(its)
        return its

    yield build
    for its in made:
        assert not its.upstream.crashes
