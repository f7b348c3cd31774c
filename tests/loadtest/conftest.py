"""A simulated provider to be measured, over memory streams: virtual time holds."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest
import trio
from trio.testing import memory_stream_pair

from lasso_trio.config.secret import SecretUrl
from lasso_trio.devnet import Chain, Faults, Provider
from lasso_trio.loadtest.order import Order, Request
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.http1 import Pool

ENDPOINT = Endpoint.from_url(SecretUrl("http://target.example/rpc"))


@attrs.frozen
class Stage:
    provider: Provider
    nursery: trio.Nursery

    async def dial(self) -> Dialled:
        ours, theirs = memory_stream_pair()
        self.nursery.start_soon(self.provider.handle, theirs)
        return Dialled(ours)

    def pool(self, order: Order) -> Pool:
        return Pool(ENDPOINT, dial=self.dial, max_connections=order.clients)


Staged = Callable[..., Stage]


@pytest.fixture
def stage(nursery: trio.Nursery) -> Staged:
    """`stage(latency=…)`: the options are the provider's `Faults`."""
    return lambda **faults: Stage(Provider.make("it", Chain(block_time=None), Faults(**faults), seed=1), nursery)


def order(**options: object) -> Order:
    """`options` as `lasso bench` has them."""
    return Request("http://target.example/rpc", **options).order()  # type: ignore[arg-type]
