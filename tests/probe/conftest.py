"""Findings and manners to test with, and a devnet whose clock is now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

import pytest

from lasso_trio.config.secret import SecretUrl
from lasso_trio.devnet import Chain, Devnet, Faults
from lasso_trio.probe.asker import Asker, Counter, Manners
from lasso_trio.probe.target import Target

HEIGHT = 1_500
QUICK = Manners(calls_per_s=1e5, timeout_s=2.0, samples=5, head_wait_s=2.0)

Opened = AbstractAsyncContextManager[Asker]
Open = Callable[..., Opened]


def chain(block_time: float | None = None) -> Chain:
    """`HEIGHT` blocks, the newest of them made just now. It stands still unless told otherwise."""
    age = HEIGHT * (block_time or 2.0)
    return Chain(block_time=block_time, start_height=HEIGHT, epoch=int(datetime.now(UTC).timestamp() - age))


def target(url: str, name: str = "one", **rest: object) -> Target:
    return Target(name, url=SecretUrl(url), **rest)  # type: ignore[arg-type]


@pytest.fixture
def asked() -> Open:
    """`async with asked(faults) as asker`: somebody who asks a simulated provider."""

    @asynccontextmanager
    async def open_(faults: Faults | None = None, manners: Manners = QUICK, **rest: object) -> AsyncIterator[Asker]:
        async with (
            Devnet.open({"one": faults or Faults()}, chain=chain()) as net,
            Asker.open(target(net.url("one"), **rest), manners, Counter()) as asker,
        ):
            yield asker

    return open_
