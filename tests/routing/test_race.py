from __future__ import annotations

from collections.abc import Callable
from math import inf
from random import Random
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lasso_trio.config.profile import HedgePolicy, Routing, Strategy
from lasso_trio.devnet import Failure, Faults, Kind, Latency
from lasso_trio.routing.hedge import MOST_TOKENS
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.service import Wish
from tests.routing.races import HEDGE, STALLING, facts, slow

Build = Callable[..., Any]
Clock = trio.testing.MockClock


def failing(delay_ms: float, kind: Kind = Kind.HTTP, **details: object) -> Faults:
    return Faults(latency=Latency.constant(delay_ms), failures=[Failure(kind, **details)])  # type: ignore[arg-type]


async def test_a_late_first_is_raced_and_the_hedge_may_win(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": STALLING, "b": slow(10)}, routing=HEDGE)
    served = await it.serve("eth_call", '[{},"latest"]')
    assert facts(served) == ("b", "hedge", 0, 1, True)
    assert served.outcome.hedge_delay_s == pytest.approx(0.05)
    assert served.outcome.upstream_s == pytest.approx(0.06, abs=0.002)
    hedges = it.routed.counts.hedges
    assert (hedges.fired, hedges.won, hedges.wasted, hedges.in_flight) == (1, 1, 0, 0)
    it.assert_nothing_leaked()


async def test_the_first_may_still_win(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(80), "b": slow(60)}, routing=HEDGE)
    served = await it.serve()
    assert facts(served) == ("a", "static_priority", 0, 1, False)
    hedges = it.routed.counts.hedges
    assert (hedges.fired, hedges.won, hedges.wasted) == (1, 0, 1)
    it.assert_nothing_leaked()


async def test_who_ran_is_told_with_how_far_each_had_come(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": STALLING, "b": slow(10)}, routing=HEDGE)
    first, second = (await it.serve()).outcome.raced
    assert (first.provider, first.hedge, first.end) == ("a", False, "lost")
    assert (second.provider, second.hedge, second.end) == ("b", True, "won")
    assert first.took_s == pytest.approx(0.06, abs=0.002)
    assert (second.begun_s, second.took_s) == pytest.approx((0.05, 0.01), abs=0.002)


async def test_who_failed_in_a_race_is_told_too(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": failing(70), "b": slow(40), "c": slow(10)}, routing=HEDGE)
    raced = (await it.serve()).outcome.raced
    assert [(each.provider, each.end) for each in raced] == [("a", "failed"), ("b", "won")]
    assert raced[0].took_s == pytest.approx(0.07, abs=0.002)


async def test_a_call_that_nobody_could_race_has_no_racers(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(80)}, routing=HEDGE)
    assert (await it.serve()).outcome.raced == ()


async def test_who_is_in_time_is_not_raced(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(40), "b": slow(10)}, routing=HEDGE)
    assert facts(await it.serve()) == ("a", "static_priority", 0, 0, False)
    assert it.asked == {"a": 1}


async def test_the_losers_time_is_kept_as_a_lower_bound(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": STALLING, "b": slow(10)}, routing=HEDGE)
    await it.serve()
    evidence = it.channel("a").evidence["eth_gasPrice"]
    assert evidence.censored(trio.current_time()) == 1
    assert evidence.failures(trio.current_time()) == 0


async def test_a_fast_failure_pulls_the_next_forward(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": failing(5), "b": slow(10)}, routing=HEDGE)
    started = trio.current_time()
    assert facts(await it.serve()) == ("b", "failover", 1, 0, False)
    assert trio.current_time() - started == pytest.approx(0.015, abs=0.002)


async def test_when_all_in_a_race_have_failed_the_next_is_asked_at_once(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": failing(70), "b": failing(30), "c": slow(10)}, routing=HEDGE)
    started = trio.current_time()
    served = await it.serve()
    assert facts(served) == ("c", "failover", 1, 1, False)
    assert trio.current_time() - started == pytest.approx(0.09, abs=0.002)
    assert it.routed.counts.hedges.wasted == 1
    it.assert_nothing_leaked()


async def test_a_failure_does_not_end_a_race_that_somebody_still_runs(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(200), "b": failing(10), "c": slow(5)}, routing=HEDGE)
    served = await it.serve()
    assert facts(served)[0] == "a"
    assert it.asked == {"a": 1, "b": 1}


async def test_a_dial_that_takes_long_is_raced_too(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(10), "b": slow(10)}, routing=HEDGE)
    it.network.dark.add("a")
    served = await it.serve()
    assert facts(served) == ("b", "hedge", 0, 1, True)
    it.assert_nothing_leaked()


async def test_three_run_when_two_extra_are_allowed(autojump_clock: Clock, world: Build) -> None:
    policy = HedgePolicy(enabled=True, min_ms=50, max_ms=50, max_extra=2)
    it = world({"a": STALLING, "b": STALLING, "c": slow(10)}, routing=Routing(Strategy.PRIORITY, hedge=policy))
    served = await it.serve("eth_call", '[{},"latest"]')
    assert facts(served) == ("c", "hedge", 0, 2, True)
    assert it.routed.counts.hedges.wasted == 1
    it.assert_nothing_leaked()


# What wins


async def test_a_null_does_not_win_while_another_runs(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(90), "b": slow(10)}, routing=HEDGE)
    missing = '["0x' + "ab" * 32 + '"]'
    served = await it.serve("eth_getTransactionReceipt", missing)
    # b says null after 60 ms; a is heard as well, and says the same.
    assert facts(served)[0] == "a"
    assert served.outcome.upstream_s == pytest.approx(0.09, abs=0.002)


async def test_a_null_is_taken_when_the_other_is_not_heard_of_in_time(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": STALLING, "b": slow(10)}, routing=HEDGE)
    served = await it.serve("eth_getTransactionReceipt", '["0x' + "ab" * 32 + '"]')
    assert facts(served)[0] == "b"
    assert served.outcome.upstream_s == pytest.approx(0.11, abs=0.002)
    it.assert_nothing_leaked()


async def test_a_revert_wins(autojump_clock: Clock, world: Build) -> None:
    reverting = failing(10, Kind.RPC, code=3, message="execution reverted", data="0x08c379a0")
    it = world({"a": STALLING, "b": reverting}, routing=HEDGE)
    served = await it.serve("eth_call", '[{},"latest"]')
    assert facts(served)[0] == "b"
    assert served.outcome.failed


# What a client wants


async def test_a_client_may_turn_it_off(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(100), "b": slow(10)}, routing=HEDGE)
    assert facts(await it.serve(wish=Wish(hedge_s=inf)))[3] == 0


async def test_a_client_may_say_when_also_where_the_profile_does_not(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(100), "b": slow(10)})
    served = await it.serve(wish=Wish(hedge_s=0.02))
    assert facts(served) == ("b", "hedge", 0, 1, True)
    assert served.outcome.hedge_delay_s == pytest.approx(0.02, abs=0.001)


async def test_a_client_that_leaves_ends_every_attempt(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": STALLING, "b": STALLING}, routing=HEDGE)
    with trio.move_on_after(0.07):
        await it.serve()
    await trio.testing.wait_all_tasks_blocked()
    assert it.routed.counts.hedges.in_flight == 0
    assert it.routed.counts.hedges.wasted == 1
    it.assert_nothing_leaked()


# Everything at once


latencies = st.builds(
    Latency, p50_ms=st.sampled_from([0, 5, 40, 300]), sigma=st.sampled_from([0, 1]), stall_share=st.just(0.1),
    stall_ms=st.just(2500.0),
)  # fmt: skip
failures = st.lists(
    st.builds(
        Failure,
        st.sampled_from([Kind.HTTP, Kind.HANG, Kind.RESET, Kind.WRONG_ID, Kind.GARBAGE]),
        share=st.sampled_from([0.1, 0.5, 1.0]),
    ),
    max_size=2,
)
some_faults = st.builds(Faults, latency=latencies, failures=failures)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=st.lists(some_faults, min_size=2, max_size=4), seed=st.integers(0, 2**16), extra=st.integers(1, 2))
def test_each_call_has_one_answer_and_leaves_nothing_behind(
    in_world: Callable[..., None], faults: list[Faults], seed: int, extra: int
) -> None:
    rng, outcomes = Random(seed), dict[int, Outcome | None]()

    async def one(it: Any, number: int) -> None:
        await trio.sleep(rng.random() * 3)
        outcomes[number] = None
        with trio.move_on_after(rng.choice([0.01, 0.06, 99])):
            outcomes[number] = (await it.serve("eth_getBlockByNumber", f'["{number:#x}",false]')).outcome

    async def body(it: Any) -> None:
        async with trio.open_nursery() as clients:
            for number in range(60):
                clients.start_soon(one, it, number)
        await trio.testing.wait_all_tasks_blocked()
        for number, outcome in outcomes.items():
            if outcome is not None and outcome.reply is not None and outcome.reply.error is None:
                assert b'"number":"%b"' % hex(number).encode() in outcome.reply.splice(b"1")
        hedges, counts = it.routed.counts.hedges, it.routed.counts
        assert hedges.fired == hedges.won + hedges.wasted <= MOST_TOKENS + 0.2 * counts.sent
        assert hedges.in_flight == 0
        it.assert_nothing_leaked()

    policy = HedgePolicy(enabled=True, max_extra=extra, budget=0.2)
    named = {f"p{i}": each for i, each in enumerate(faults)}
    in_world(body, named, routing=Routing(Strategy.FASTEST, hedge=policy), seed=seed)
