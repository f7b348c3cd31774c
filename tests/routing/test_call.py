"""What little time a call may have, how it is divided, and whom it is held against when it is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from lasso_trio.config.profile import HedgePolicy, MethodOverride, Routing, Strategy
from lasso_trio.devnet import Failure, Faults, Kind, Latency
from lasso_trio.providers.breaker import State
from lasso_trio.routing.room import Room
from lasso_trio.routing.service import Wish

Build = Callable[..., Any]
Clock = trio.testing.MockClock


def slow(ms: float, *failures: Failure) -> Faults:
    return Faults(latency=Latency.constant(ms), failures=failures)


@pytest.mark.parametrize("deadline_ms", [5, 20, 30])
async def test_a_client_with_little_time_is_answered_by_who_is_quick_enough(
    autojump_clock: Clock, world: Build, deadline_ms: int
) -> None:
    it = world({"a": slow(2), "b": slow(2)})
    await it.serve("eth_blockNumber")  # connected
    outcome = (await it.serve(wish=Wish(deadline_s=deadline_ms / 1000))).outcome
    assert not outcome.failed
    assert it.asked == {"a": 2}


async def test_little_time_is_divided_too(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(500), "b": slow(2)})
    started = trio.current_time()
    assert not (await it.serve(wish=Wish(deadline_s=0.02))).outcome.failed
    assert trio.current_time() - started == pytest.approx(0.014, abs=0.001)


async def test_an_attempt_takes_what_would_be_too_little_for_another(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(1202), "b": slow(5)})
    started = trio.current_time()
    await trio.sleep(0.79)  # in a queue of ours: three fifths of the budget from here leave 10 ms
    served = await it.service.serve(it.routed, Wish(), it.request(), started)
    assert not served.outcome.failed
    assert served.outcome.candidate.provider.id == "a"


async def test_no_provider_is_blamed_for_a_clients_hurry(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(100)})
    for _ in range(20):
        assert (await it.serve(wish=Wish(deadline_s=0.03))).outcome.failed
    now = trio.current_time()
    assert it.channel("a").breaker.state(now) is State.CLOSED
    assert it["a"].tally.failures == 0
    assert it.channel("a").evidence["eth_gasPrice"].censored(now) == 20
    it.assert_nothing_leaked()


async def test_a_raced_attempt_of_a_client_in_a_hurry_blames_nobody_either(autojump_clock: Clock, world: Build) -> None:
    hedged = Routing(Strategy.PRIORITY, hedge=HedgePolicy(enabled=True, min_ms=10, max_ms=10), coalesce=False)
    it = world({"a": slow(900), "b": slow(900)}, routing=hedged)
    for _ in range(5):
        assert (await it.serve(wish=Wish(deadline_s=0.1))).outcome.failed
    assert {it.channel(name).breaker.failures for name in "ab"} == {0}
    it.assert_nothing_leaked()


async def test_who_had_its_methods_time_is_blamed(autojump_clock: Clock, world: Build) -> None:
    tight = Routing(Strategy.PRIORITY, {"eth_gasPrice": MethodOverride(timeout_ms=60)}, coalesce=False)
    it = world({"a": slow(100)}, routing=tight)
    for _ in range(2):
        await it.serve()
    assert it.channel("a").breaker.state(trio.current_time()) is State.OPEN


async def test_an_error_that_is_not_told_gives_its_room_back(autojump_clock: Clock, world: Build) -> None:
    busy = Failure(Kind.RPC, code=-32603, message="busy " + "x" * 500)
    it, room = world({"a": slow(5, busy), "b": slow(5, busy), "c": slow(5)}), Room(10_000)
    served = await it.service.serve(it.routed, Wish(), it.request(), trio.current_time(), room=room, stream=False)
    assert served.outcome.retries == 2
    assert 10_000 - room.left < 100
