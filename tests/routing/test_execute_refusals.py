"""What one provider's refusal means for the call and for the provider, by the texts that vendors use for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from lasso_trio.devnet import Failure, Faults, Kind
from lasso_trio.providers.breaker import State

Build = Callable[..., Any]
Clock = trio.testing.MockClock
RANGE = '[{"fromBlock":"0x10","toBlock":"0x20"}]'


def refusing(code: int, message: str) -> Faults:
    return Faults(failures=[Failure(Kind.RPC, code=code, message=message)])


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-32602, "block range extends beyond current head block"),
        (-32000, "requested block range [16, 32] is beyond latest executed block 12 (node is still syncing)"),
        (-32000, "One of the blocks specified in filter (fromBlock, toBlock or blockHash) cannot be found."),
        (-32008, "Initial sync is still in progress"),
        (-32600, "Monthly capacity limit exceeded. Visit https://dashboard.alchemy.com/settings/billing to upgrade"),
    ],
)
async def test_who_lags_or_is_spent_does_not_keep_the_call_from_who_has_the_answer(
    autojump_clock: Clock, world: Build, code: int, message: str
) -> None:
    it = world({"a": refusing(code, message), "b": Faults()})
    assert "result" in await it.ask("eth_getLogs", RANGE)
    assert it.asked == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("method", "code", "message"),
    [
        ("eth_call", 12345, "what"),
        ("eth_sendUserOperation", -32500, "AA21 didn't pay prefund"),
        ("eth_sendUserOperation", -32504, "paymaster is throttled"),
        ("eth_simulateV1", -38026, "too many blocks"),
        ("eth_sendRawTransaction", -32009, "Gas price below configured minimum gas price"),
        ("eth_sendRawTransaction", -32007, "Sender account not authorized to send transactions"),
    ],
)
async def test_what_the_client_wrote_is_its_own_affair(
    autojump_clock: Clock, world: Build, method: str, code: int, message: str
) -> None:
    it = world({"a": refusing(code, message)})
    for _ in range(10):
        assert (await it.ask(method, '["0x02"]'))["error"] == {"code": code, "message": message}
    channel, now = it.channel("a"), trio.current_time()
    assert it.asked == {"a": 10}
    assert (channel.breaker.state(now), channel.breaker.failures, channel.cooldown.active(now)) == (
        State.CLOSED,
        0,
        False,
    )
    assert it["a"].tally.failures == 0


async def test_a_code_that_nobody_knows_is_listed_for_the_operator(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": refusing(12345, "the kraken is busy")})
    await it.ask()
    (listed,) = it.channel("a").unknown.listing()
    assert (listed.code, listed.text, listed.times) == (12345, "the kraken is busy", 1)
