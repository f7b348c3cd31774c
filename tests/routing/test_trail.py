"""What is written down of a traced call's attempts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from lasso_trio.config.profile import HedgePolicy, Routing, Strategy
from lasso_trio.devnet import Failure, Faults, Kind, Latency
from lasso_trio.routing.service import ANYTHING, Wish
from lasso_trio.routing.trail import MOST_STEPS, Step, Trail

Build = Callable[..., Any]
Clock = trio.testing.MockClock
HEDGE = Routing(Strategy.PRIORITY, hedge=HedgePolicy(enabled=True, min_ms=50, max_ms=50))
BROKEN = Faults(failures=(Failure(Kind.HTTP, status=502),))


def slow(ms: float) -> Faults:
    return Faults(latency=Latency.constant(ms))


async def steps(it: Any, method: str = "eth_gasPrice", params: str = "[]", wish: Wish = ANYTHING) -> list[Step]:
    trail = Trail()
    request, now = it.request(method, params), trio.current_time()
    await it.service.serve(it.routed, wish, request, now, stream=False, trail=trail)
    trail.end(trio.current_time())
    return trail.steps


async def test_one_good_attempt_is_one_step(autojump_clock: Clock, world: Build) -> None:
    (step,) = await steps(world({"a": slow(20), "b": Faults()}))
    assert (step.provider, step.transport, step.role, step.reason) == ("a", "http", "first", "static_priority")
    assert (step.category, step.code, step.cancelled, step.dispatched) == (None, None, False, True)
    assert step.ended is not None
    assert step.ended - step.started == pytest.approx(0.02)


async def test_a_failure_and_its_failover_are_two(autojump_clock: Clock, world: Build) -> None:
    first, second = await steps(world({"a": BROKEN, "b": Faults()}))
    assert (first.role, first.category) == ("first", "server_error")
    assert (second.provider, second.role, second.category) == ("b", "failover", None)


async def test_a_refusal_by_an_upstream_tells_its_code(autojump_clock: Clock, world: Build) -> None:
    refusing = Faults(failures=(Failure(Kind.RPC, code=-32005, message="limit exceeded"),))
    first, _ = await steps(world({"a": refusing, "b": Faults()}))
    assert (first.code, first.category) == (-32005, "rate_limit")


async def test_a_lost_race_is_a_lower_bound(autojump_clock: Clock, world: Build) -> None:
    first, hedge = await steps(world({"a": slow(2000), "b": slow(10)}, routing=HEDGE), "eth_call", '[{},"latest"]')
    assert (first.role, first.cancelled) == ("first", True)
    assert (hedge.role, hedge.cancelled, hedge.category) == ("hedge", False, None)
    assert first.ended is not None
    assert first.ended - first.started == pytest.approx(0.06, abs=0.002)


async def test_a_first_that_wins_after_all_cancels_its_hedge(autojump_clock: Clock, world: Build) -> None:
    first, hedge = await steps(world({"a": slow(80), "b": slow(500)}, routing=HEDGE), "eth_call", '[{},"latest"]')
    assert (first.cancelled, first.category, hedge.role, hedge.cancelled) == (False, None, "hedge", True)


async def test_a_client_that_leaves_ends_the_attempt(autojump_clock: Clock, world: Build) -> None:
    it, trail = world({"a": slow(2000)}), Trail()
    with trio.move_on_after(0.5):
        await it.service.serve(it.routed, ANYTHING, it.request(), trio.current_time(), stream=False, trail=trail)
    (step,) = trail.steps
    assert (step.cancelled, step.ended) == (True, trio.current_time())


async def test_who_is_under_way_when_the_call_ends_is_told_so(autojump_clock: Clock, world: Build) -> None:
    trail, it = Trail(), world({"a": slow(2000)})
    async with trio.open_nursery() as nursery:
        serve = it.service.serve

        async def ask() -> None:
            await serve(it.routed, ANYTHING, it.request(), trio.current_time(), stream=False, trail=trail)

        nursery.start_soon(ask)
        await trio.sleep(0.1)
        trail.end(trio.current_time())
        assert trail.steps[0].cancelled
        await trio.sleep(3)
        assert trail.steps[0].ended == pytest.approx(0.1)


async def test_what_is_sent_after_the_end_is_not_written_down(autojump_clock: Clock, world: Build) -> None:
    """The other copies of a transaction, say; a trail that waits to be exported must not keep its call alive."""
    it, trail = world({"a": slow(10), "b": slow(20)}), Trail(marks=lambda: (1, b""))
    trail.end(trio.current_time())
    request, now = it.request("eth_gasPrice"), trio.current_time()
    served = await it.service.serve(it.routed, ANYTHING, request, now, stream=False, trail=trail)
    assert served.outcome.reply is not None
    assert (trail.steps, trail.marks, trail._parts, trail._under_way) == ([], None, {}, {})


async def test_a_trail_is_bounded_and_goes_on_counting(autojump_clock: Clock, world: Build) -> None:
    it, trail = world({"a": Faults()}), Trail()
    for _ in range(MOST_STEPS + 5):
        request = it.request("eth_gasPrice")
        await it.service.serve(it.routed, ANYTHING, request, trio.current_time(), stream=False, trail=trail)
    assert (len(trail.steps), trail.unwritten) == (MOST_STEPS, 5)
    assert {step.role for step in trail.steps} == {"first"}
    assert not trail._under_way
