"""An error that nobody knows is worth one other provider, costs nobody anything, and is told as it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio
import trio.testing

from lasso_trio.devnet import Failure, Faults, Kind
from lasso_trio.providers.breaker import State

Build = Callable[..., Any]
Clock = trio.testing.MockClock
STRANGE = Faults(failures=[Failure(Kind.RPC, code=-32000, message="the kraken is busy")])


async def test_one_other_provider_is_asked_and_its_answer_is_the_answer(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": STRANGE, "b": Faults()})
    assert "result" in await it.ask()
    assert it.asked == {"a": 1, "b": 1}


async def test_when_two_say_so_no_third_is_asked_and_nobody_is_blamed(autojump_clock: Clock, world: Build) -> None:
    it = world(dict.fromkeys("abc", STRANGE))
    for _ in range(10):
        answer = await it.ask()
        assert answer["error"] == {"code": -32000, "message": "the kraken is busy"}
    assert it.asked == {"a": 10, "b": 10}
    for candidate in it.routed.candidates:
        breaker = candidate.channel.breaker
        assert (breaker.state(trio.current_time()), breaker.failures, candidate.tally.failures) == (State.CLOSED, 0, 0)


async def test_what_may_not_be_repeated_is_not(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": STRANGE, "b": Faults()})
    answer = await it.ask("eth_newBlockFilter")
    assert answer["error"]["message"] == "the kraken is busy"
    assert it.asked == {"a": 1}
