"""A client may leave at any moment: at each step of each task, what was taken is given back, and reported once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import CachePolicy, HedgePolicy, Routing, Strategy
from lasso_trio.devnet import Failure, Faults, Kind, Latency
from lasso_trio.providers.channel import Channel
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.room import Room
from lasso_trio.routing.service import Wish

InWorld = Callable[..., None]
Body = Callable[[Any], Awaitable[Outcome]]
MOST_STEPS = 400
ROOM, SMALL_ERROR = 1_000_000, 200
HEDGED = Routing(Strategy.PRIORITY, hedge=HedgePolicy(enabled=True, min_ms=50, max_ms=50, max_extra=2), coalesce=False)
SHARED = attrs.evolve(HEDGED, coalesce=True)


def slow(ms: float, *failures: Failure) -> Faults:
    return Faults(latency=Latency.constant(ms), failures=failures)


@attrs.define(eq=False)
class Knife(trio.abc.Instrument):
    """Cancels `scope` after so many steps of whatever task."""

    scope: trio.CancelScope
    left: int

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.left -= 1
        if self.left == 0:
            self.scope.cancel()


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many calls were admitted, and how many ends their channels were told of."""
    counts, depth = Counter[str](), [0]

    def counting(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            depth[0] += 1  # an expiry is a failure too, and is to be counted once
            try:
                result = plain(*args)
            finally:
                depth[0] -= 1
            counts[name] += depth[0] == 0 and result is not False
            return result

        return counted

    monkeypatch.setattr(Channel, "admit", counting("admitted", Channel.admit))
    for end in ("succeeded", "failed", "expired", "abandoned"):
        monkeypatch.setattr(Channel, end, counting("ended", getattr(Channel, end)))
    return counts


def cut_everywhere(in_world: InWorld, reports: Counter[str], faults: dict[str, Faults], body: Body, **how: Any) -> None:
    """Carry out `body` again and again, cut one step later each time, until it comes to its end."""
    whole = [False]

    async def cut(it: Any, step: int) -> None:
        with trio.CancelScope() as scope:
            knife = Knife(scope, step)
            trio.lowlevel.add_instrument(knife)
            await body(it)
        whole[0] = not scope.cancelled_caught and knife.left > 0
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(10)
        hedges = it.routed.counts.hedges
        assert (hedges.in_flight, hedges.fired) == (0, hedges.won + hedges.wasted)
        assert not it.routed.flights or not it.routed.flights.by_key
        assert reports["admitted"] == reports["ended"]
        it.assert_nothing_leaked()

    for step in range(1, MOST_STEPS):
        in_world(lambda it, step=step: cut(it, step), faults, **how)
        if whole[0]:
            break
    assert whole[0], "longer than it is cut"
    assert step > 10


def test_a_race_that_the_hedge_wins(in_world: InWorld, reports: Counter[str]) -> None:
    async def body(it: Any) -> None:
        assert (await it.serve("eth_call", '[{},"latest"]')).outcome.hedge_won

    cut_everywhere(in_world, reports, {"a": slow(2000), "b": slow(10)}, body, routing=HEDGED)


def test_a_race_of_three_with_a_weak_answer(in_world: InWorld, reports: Counter[str]) -> None:
    async def body(it: Any) -> None:
        await it.serve("eth_getTransactionReceipt", '["0x' + "ab" * 32 + '"]')

    cut_everywhere(in_world, reports, {"a": slow(300), "b": slow(200), "c": slow(20)}, body, routing=HEDGED)


def test_a_race_in_which_all_fail_and_the_next_is_asked(in_world: InWorld, reports: Counter[str]) -> None:
    async def body(it: Any) -> None:
        assert (await it.serve()).outcome.retries == 1

    faults = {"a": slow(90, Failure(Kind.HTTP)), "b": slow(20, Failure(Kind.RESET)), "c": slow(5)}
    cut_everywhere(in_world, reports, faults, body, routing=HEDGED)


def test_a_race_over_a_dial_that_takes_long(in_world: InWorld, reports: Counter[str]) -> None:
    async def body(it: Any) -> None:
        it.network.dark.add("a")
        await it.serve()

    cut_everywhere(in_world, reports, {"a": slow(10), "b": slow(10)}, body, routing=HEDGED)


def test_results_that_are_held_or_pass_through(in_world: InWorld, reports: Counter[str]) -> None:
    rooms: list[Room] = []

    async def hold(it: Any, request: Any, now: float) -> None:
        room = Room(ROOM)
        rooms.append(room)
        served = await it.service.serve(it.routed, Wish(), request, now, stream=False, room=room)
        assert served.outcome.reply is not None
        room.left = ROOM  # it was handed over

    async def body(it: Any) -> None:
        request, now = it.request("devnet_blob", '["0x20000"]'), trio.current_time()
        request = attrs.evolve(request, method=attrs.evolve(request.method, replay_safe=True))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold, it, request, now)
            outcome = (await it.service.serve(it.routed, Wish(), request, now)).outcome
            assert outcome.large is not None
            outcome.large.http.rest.abandon()

    faults = {"a": slow(90), "b": slow(10, Failure(Kind.RPC, message="busy", code=-32000)), "c": slow(30)}
    cut_everywhere(in_world, reports, faults, body, routing=HEDGED, stream_threshold=1024)
    assert all(ROOM - room.left < SMALL_ERROR for room in rooms)


def test_calls_that_share(in_world: InWorld, reports: Counter[str]) -> None:
    async def body(it: Any) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(it.serve)

    faults = {"a": slow(2000), "b": slow(10)}
    cut_everywhere(in_world, reports, faults, body, routing=SHARED)
    cut_everywhere(in_world, reports, faults, body, routing=SHARED, cache=CachePolicy(enabled=True))


def test_a_session_and_a_signed_transaction(in_world: InWorld, reports: Counter[str]) -> None:
    async def body(it: Any) -> None:
        await it.serve("eth_getBalance", f'["0x{"01" * 20}","latest"]', Wish(min_block=900))
        await it.serve("eth_sendRawTransaction", '["0x02c3010203"]')

    cut_everywhere(in_world, reports, {"a": slow(80), "b": slow(10)}, body, routing=HEDGED)
