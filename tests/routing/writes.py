"""Signed transactions over simulated providers, which share a chain: what one accepted, another knows."""

from __future__ import annotations

from random import Random
from typing import Any

import trio

from lasso_trio.config.profile import Strategy
from lasso_trio.devnet import Failure, Faults, Kind, Latency
from lasso_trio.jsonrpc.methods import Method, known
from lasso_trio.routing.afterwork import Afterwork
from lasso_trio.routing.execute import Call
from lasso_trio.routing.execute_write import broadcast
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.raw_transaction import hash_in
from lasso_trio.routing.retry_budget import RetryBudget

SEND = "eth_sendRawTransaction"
LOOK_UP = "eth_getTransactionByHash"
RAW = b'["0x02c3010203"]'
HASH = hash_in(RAW)
INDETERMINATE = "Upstream dispatch outcome is indeterminate"
TIME_S = 10
"""That each has."""


def failing(kind: Kind, **details: Any) -> Faults:
    return Faults(failures=[Failure(kind, methods=SEND, **details)])


def saying(message: str, code: int = -32000) -> Faults:
    return failing(Kind.RPC, code=code, message=message)


FINE = Faults()
HANGING = failing(Kind.HANG)
DYING = failing(Kind.TRUNCATED)
"""It takes the transaction and ends in the middle of its answer."""
GONE = failing(Kind.RESET)
THROTTLED = failing(Kind.HTTP, status=429)
DOWN = failing(Kind.HTTP)
POOR = saying("insufficient funds for gas * price + value")
USED = saying("nonce too low: next nonce 6, tx nonce 5")
BROKEN = saying("internal error", -32603)


def slow(seconds: float) -> Faults:
    return Faults(latency=Latency.constant(1000 * seconds))


def call_of(it: Any, params: bytes = RAW, retries: RetryBudget | None = None) -> Call:
    method, now = known(SEND), trio.current_time()
    assert isinstance(method, Method)
    plan = it.routed.plan(method, params, now, Strategy.PRIORITY)
    return Call(it.routed, method, params, b"7", plan, now, now + TIME_S, stream=False, retries=retries)


async def write(
    it: Any, afterwork: Afterwork | None = None, params: bytes = RAW, retries: RetryBudget | None = None
) -> Outcome:
    return await broadcast(call_of(it, params, retries), Random(1), afterwork)


def sent(it: Any) -> dict[str, int]:
    counts = {name: provider.calls[SEND] for name, provider in it.network.providers.items()}
    return {name: count for name, count in counts.items() if count}


def looked_up(it: Any) -> set[str]:
    return {name for name, provider in it.network.providers.items() if provider.calls[LOOK_UP]}


async def drained(it: Any, afterwork: Afterwork) -> None:
    assert await afterwork.drain(trio.current_time() + 20)
    it.assert_nothing_leaked()
