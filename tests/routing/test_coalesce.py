from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lasso_trio.devnet import REVERTER, Failure, Faults, Kind, Latency
from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.providers.heads import ChainHeads
from lasso_trio.routing.coalesce import Flights, coalesced, key_of
from lasso_trio.routing.execute import Call, execute
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.room import Room
from lasso_trio.routing.service import Wish
from tests.routing.shared_calls import RNG, call_of

Build = Callable[..., Any]
Clock = trio.testing.MockClock
BALANCE = ("eth_getBalance", '["0x0000000000000000000000000000000000000001","latest"]')
SLOW = Faults(latency=Latency.constant(500))


async def share(it: Any, flights: Flights, method: str = BALANCE[0], params: str = BALANCE[1], **how: Any) -> Outcome:
    call = call_of(it, method, params, **how)
    return await coalesced(call, RNG, execute, flights, key_of(call))


def read(outcome: Outcome, id_: int) -> Any:
    assert outcome.reply is not None
    answer = json.loads(outcome.reply.splice(b"%d" % id_))
    assert answer["id"] == id_
    return answer["result"]


async def test_a_thousand_equal_calls_are_one_upstream(autojump_clock: Clock, world: Build) -> None:
    it, flights, outcomes = world({"a": SLOW}), Flights(), {}

    async def client(id_: int) -> None:
        outcomes[id_] = await share(it, flights, id_=str(id_))

    async with trio.open_nursery() as nursery:
        for id_ in range(1000):
            nursery.start_soon(client, id_)
    assert it.asked == {"a": 1}
    assert len({read(outcome, id_) for id_, outcome in outcomes.items()}) == 1
    assert len({id(outcome) for outcome in outcomes.values()}) == 1000
    assert sum(outcome.cache == "coalesced" for outcome in outcomes.values()) == flights.followed == 999
    assert not flights.by_key
    it.assert_nothing_leaked()


async def test_when_the_leaders_client_is_killed_none_of_the_others_fails(autojump_clock: Clock, world: Build) -> None:
    it, flights, answers = world({"a": SLOW}), Flights(), []

    async def client(id_: int, scope: trio.CancelScope) -> None:
        with scope:
            answers.append(read(await share(it, flights, id_=str(id_)), id_))

    scopes = [trio.CancelScope() for _ in range(1000)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client, 0, scopes[0])
        await trio.testing.wait_all_tasks_blocked()
        for id_ in range(1, 1000):
            nursery.start_soon(client, id_, scopes[id_])
        await trio.sleep(0.1)
        scopes[0].cancel()
    assert len(answers) == 999
    assert it.asked == {"a": 2}
    assert flights.handed_over == 1
    it.assert_nothing_leaked()


async def test_leaders_may_die_one_after_the_other(autojump_clock: Clock, world: Build) -> None:
    it, flights, answers = world({"a": SLOW}), Flights(), []
    scopes = [trio.CancelScope() for _ in range(10)]

    async def client(id_: int) -> None:
        with scopes[id_]:
            answers.append(read(await share(it, flights, id_=str(id_)), id_))

    async with trio.open_nursery() as nursery:
        for id_ in range(10):
            nursery.start_soon(client, id_)
            await trio.testing.wait_all_tasks_blocked()
        for scope in scopes[:9]:
            await trio.sleep(0.1)
            scope.cancel()
    assert len(answers) == 1
    assert not flights.by_key
    it.assert_nothing_leaked()


@pytest.mark.parametrize("other", ['["0x0000000000000000000000000000000000000002","latest"]', "[]"])
async def test_other_parameters_are_another_call(autojump_clock: Clock, world: Build, other: str) -> None:
    it, flights = world({"a": SLOW}), Flights()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(share, it, flights)
        nursery.start_soon(share, it, flights, BALANCE[0], other)
    assert it.asked == {"a": 2}


async def test_a_call_that_knows_of_a_newer_head_does_not_follow(autojump_clock: Clock, world: Build) -> None:
    it, flights = world({"a": SLOW}), Flights()
    it["a"].head.tell(1000, trio.current_time(), 12.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(share, it, flights)
        await trio.sleep(0.3)
        it["a"].head.tell(1001, trio.current_time(), 12.0)
        nursery.start_soon(share, it, flights)
    assert it.asked == {"a": 2}


async def test_not_even_right_behind_the_head(autojump_clock: Clock, world: Build) -> None:
    it, flights = world({"a": SLOW}), Flights()
    it["a"].head.tell(1000, trio.current_time(), 12.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(share, it, flights)
        await trio.sleep(0.01)
        it["a"].head.tell(1001, trio.current_time(), 12.0)
        for _ in range(100):
            await trio.sleep(0.003)  # some before the heads are reckoned anew, some thereafter
            nursery.start_soon(share, it, flights)
    assert it.asked == {"a": 2}
    assert flights.followed == 99
    assert not flights.by_key


def test_wishes_and_canonical_text_are_in_the_key() -> None:
    # A key is made of what the call has; the world is not needed for that.
    class Heads:
        def view(self, now: float) -> Any:
            return type("View", (), {"highest": 5})

    counts = type("Counts", (), {"written": 0})
    named = type("Named", (), {"name": "eth_call", "reason": "fastest", "heads": Heads(), "counts": counts})
    call = Call(named, named, b"[ ]", b"1", named, 0.0, 1.0)  # type: ignore[arg-type]
    assert key_of(call, ("pin",)) != key_of(call)
    assert key_of(call, (), b"[]") != key_of(call)
    assert key_of(call) == key_of(call)
    before = key_of(call)
    counts.written += 1  # type: ignore[attr-defined]
    assert key_of(call) != before


async def test_a_follower_has_a_deadline_of_its_own(autojump_clock: Clock, world: Build) -> None:
    it, flights, outcomes = world({"a": Faults(latency=Latency.constant(3000))}), Flights(), []

    async def client(budget_s: float) -> None:
        outcomes.append(await share(it, flights, budget_s=budget_s))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client, 10.0)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(client, 1.0)
        await trio.sleep(1.5)
        assert [type(outcome.error) for outcome in outcomes] == [RpcError]
    assert outcomes[1].reply is not None
    assert it.asked == {"a": 1}


async def test_a_leader_that_runs_out_of_time_leaves_the_call_to_one_that_has_more(
    autojump_clock: Clock, world: Build
) -> None:
    it, flights, outcomes = world({"a": Faults(latency=Latency.constant(3000))}), Flights(), {}

    async def client(budget_s: float) -> None:
        outcomes[budget_s] = await share(it, flights, budget_s=budget_s)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client, 1.0)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(client, 10.0)
        nursery.start_soon(client, 11.0)
    assert outcomes[1.0].failed
    assert not outcomes[10.0].failed
    assert not outcomes[11.0].failed
    assert it.asked == {"a": 2}


async def test_what_fails_for_one_fails_for_all(autojump_clock: Clock, world: Build) -> None:
    faults = Faults(latency=Latency.constant(100), failures=(Failure(Kind.HTTP, status=500),))
    it, flights, outcomes = world({"a": faults}), Flights(), []

    async def client() -> None:
        outcomes.append(await share(it, flights))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(client)
    assert all(outcome.failed for outcome in outcomes)
    assert it.asked == {"a": 1}
    assert sum(outcome.retries for outcome in outcomes) == 0


async def test_a_revert_at_the_last_moment_is_an_answer_for_all(autojump_clock: Clock, world: Build) -> None:
    it, flights, outcomes = world({"a": Faults(latency=Latency.constant(990))}), Flights(), []

    async def client(budget_s: float) -> None:
        params = f'[{{"to":"{REVERTER}"}},"latest"]'
        outcomes.append(await share(it, flights, "eth_call", params, budget_s=budget_s))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client, 1.0)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(client, 10.0)
    assert [outcome.reply.error.code for outcome in outcomes] == [3, 3]
    assert it.asked == {"a": 1}


async def test_a_large_result_is_asked_for_by_each(autojump_clock: Clock, world: Build) -> None:
    it, flights, large = world({"a": SLOW}, stream_threshold=1024), Flights(), []

    async def client() -> None:
        outcome = await share(it, flights, "devnet_blob", '["0x80000"]', stream=True)
        assert outcome.large is not None
        await outcome.large.http.rest.aclose()
        large.append(outcome)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(client)
    assert len(large) == 3
    assert it.asked == {"a": 3}


async def test_a_leader_in_a_hurry_does_not_fail_the_others(autojump_clock: Clock, world: Build) -> None:
    """Its first attempt has 60 ms, its second fails at once: of the providers that says little."""
    it = world({"a": Faults(latency=Latency.constant(80)), "b": Faults(failures=(Failure(Kind.HTTP, status=500),))})
    it.routed.flights, failed = Flights(), {}

    async def client(name: str, wish: Wish) -> None:
        failed[name] = (await it.serve(*BALANCE, wish)).outcome.failed

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client, "in a hurry", Wish(deadline_s=0.1))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(client, "patient", Wish())
    assert failed == {"in a hurry": True, "patient": False}
    it.assert_nothing_leaked()


async def test_a_leader_without_room_does_not_fail_those_who_have_it(autojump_clock: Clock, world: Build) -> None:
    it, flights, failed = world({"a": SLOW}), Flights(), {}

    async def client(name: str, room: Room | None) -> None:
        failed[name] = (await share(it, flights, room=room)).failed

    async with trio.open_nursery() as nursery:
        for name, room in (("no room", Room(10)), ("room", Room(4096)), ("alone", None)):
            nursery.start_soon(client, name, room)
            await trio.testing.wait_all_tasks_blocked()
    assert failed == {"no room": True, "room": False, "alone": False}
    assert it.asked == {"a": 2}


async def test_a_shared_reply_takes_of_each_batchs_room(autojump_clock: Clock, world: Build) -> None:
    it, flights, failed = world({"a": SLOW}), Flights(), {}
    enough, little = Room(4096), Room(10)

    async def client(name: str, room: Room | None) -> None:
        failed[name] = (await share(it, flights, room=room)).failed

    async with trio.open_nursery() as nursery:
        for name, room in (("leader", None), ("enough", enough), ("little", little)):
            nursery.start_soon(client, name, room)
            await trio.testing.wait_all_tasks_blocked()
    assert failed == {"leader": False, "enough": False, "little": True}
    assert enough.left < 4096
    assert little.left == 10


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    clients=st.lists(
        st.tuples(st.integers(0, 40), st.integers(1, 80), st.none() | st.integers(0, 60)), min_size=1, max_size=12
    ),
    took=st.lists(st.integers(0, 30), min_size=1, max_size=12),
)
def test_whoever_comes_and_goes_everybody_who_stays_gets_one_answer_in_time(
    clients: list[tuple[int, int, int | None]], took: list[int]
) -> None:
    """Clients come, have budgets, and some leave (all in ms); upstream calls take what they take."""

    async def main() -> None:
        flights, running, told = Flights(), [0], {}
        chain = SimpleNamespace(heads=ChainHeads({}))
        durations = iter(took * 40)

        async def upstream(call: Call, rng: Random) -> Outcome:
            running[0] += 1
            assert running[0] == 1, "two upstream calls for equal ones"
            try:
                with trio.move_on_at(call.deadline):
                    await trio.sleep(next(durations) / 1000)
                    return Outcome(reply=Reply(b"", b"", None, 1))
                return Outcome(error=RpcError(-32000, "late"))
            finally:
                running[0] -= 1

        async def client(id_: int, comes: int, budget: int, leaves: int | None) -> None:
            await trio.sleep(comes / 1000)
            now = trio.current_time()
            call = Call(chain, None, b"", b"", None, now, now + budget / 1000, trio.current_time)  # type: ignore[arg-type]
            with trio.move_on_after(float("inf") if leaves is None else leaves / 1000) as stay:
                outcome = await coalesced(call, RNG, upstream, flights, ("key", b"", "", 0))
                told[id_] = outcome
                assert trio.current_time() <= call.deadline + 1e-6
            assert stay.cancelled_caught or id_ in told

        async with trio.open_nursery() as nursery:
            for id_, (comes, budget, leaves) in enumerate(clients):
                nursery.start_soon(client, id_, comes, budget, leaves)
        assert not flights.by_key
        stayed = {id_ for id_, (_, _, leaves) in enumerate(clients) if leaves is None}
        assert stayed <= told.keys()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
