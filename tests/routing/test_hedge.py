from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.config.profile import HedgePolicy, MethodOverride, Routing, Strategy
from lasso_trio.jsonrpc.methods import Method, known
from lasso_trio.providers.latency import Evidence
from lasso_trio.routing.hedge import MOST_TOKENS, Hedges, Timing, delay_s, is_silent, pick, policy_for

ChainOf = Callable[..., Any]


def method(name: str = "eth_call") -> Method:
    found = known(name)
    assert found is not None
    return found


def seen(*seconds: float, times: int = 1) -> Evidence:
    evidence = Evidence()
    for _ in range(times):
        for each in seconds:
            evidence.record(each, 0.0)
    return evidence


# Whether


@pytest.mark.parametrize("strategy", Strategy)
def test_only_fastest_hedges_by_itself(strategy: Strategy) -> None:
    assert (policy_for(Routing(), method(), strategy) is not None) is (strategy is Strategy.FASTEST)


def test_a_profile_may_turn_it_on_for_any_strategy_and_off_for_fastest() -> None:
    on, off = Routing(hedge=HedgePolicy(enabled=True)), Routing(hedge=HedgePolicy(enabled=False))
    assert policy_for(on, method(), Strategy.PRIORITY) is on.hedge
    assert policy_for(off, method(), Strategy.FASTEST) is None
    assert policy_for(Routing(hedge=HedgePolicy(max_extra=0)), method(), Strategy.FASTEST) is None


@pytest.mark.parametrize("name", ["eth_sendRawTransaction", "eth_newFilter", "eth_getFilterChanges", "eth_subscribe"])
def test_what_may_not_be_sent_twice_is_never_hedged(name: str) -> None:
    override = MethodOverride(hedge=HedgePolicy(enabled=True))
    assert policy_for(Routing(method_overrides={name: override}), method(name), Strategy.FASTEST) is None


def test_traces_are_hedged_only_where_the_profile_names_them() -> None:
    trace = method("debug_traceTransaction")
    assert policy_for(Routing(hedge=HedgePolicy(enabled=True)), trace, Strategy.FASTEST) is None
    own = HedgePolicy(enabled=True)
    named = Routing(method_overrides={trace.name: MethodOverride(hedge=own)})
    assert policy_for(named, trace, Strategy.PRIORITY) is own


# When


def test_without_evidence_a_tenth_of_the_time_out_is_late() -> None:
    assert delay_s(HedgePolicy(), method("eth_call"), None, 0.0) == pytest.approx(0.5)
    assert delay_s(HedgePolicy(), method("eth_blockNumber"), Evidence(), 0.0) == pytest.approx(0.1)


def test_with_evidence_late_is_the_quantile_and_a_little() -> None:
    evidence = seen(*[0.01 * i for i in range(1, 101)])
    assert delay_s(HedgePolicy(quantile=0.9), method(), evidence, 0.0) == pytest.approx(0.9 * 1.05 + 0.001, rel=0.03)


def test_a_provider_that_always_takes_the_same_time_is_never_late() -> None:
    for microseconds in range(10_000, 12_000, 37):
        seconds = microseconds / 1e6
        assert delay_s(HedgePolicy(min_ms=1), method(), seen(seconds, times=50), 0.0) > seconds


def test_thin_evidence_counts_for_its_share() -> None:
    policy = HedgePolicy()
    delays = [delay_s(policy, method(), seen(0.02, times=n), 0.0) for n in (1, 5, 20, 33, 34, 100)]
    assert delays == sorted(delays, reverse=True)
    assert delays[0] > 0.4
    assert delays[-1] == pytest.approx(0.022, rel=0.05)


@given(st.lists(st.floats(1e-4, 60), max_size=40), st.integers(1, 50), st.integers(50, 5000))
def test_the_timer_keeps_to_its_floor_and_ceiling(times: list[float], least: int, most: int) -> None:
    delay = delay_s(HedgePolicy(min_ms=least, max_ms=most), method(), seen(*times), 0.0)
    assert least / 1000 <= delay <= most / 1000


def test_attempts_that_were_left_make_the_timer_no_shorter() -> None:
    evidence = seen(0.02, times=97)
    before = delay_s(HedgePolicy(), method(), evidence, 0.0)
    for _ in range(10):
        evidence.record_censored(0.05, 0.0)
    assert delay_s(HedgePolicy(), method(), evidence, 0.0) >= before


def test_a_plan_reckons_each_candidates_timer_once(chain_of: ChainOf) -> None:
    (candidate,) = chain_of("a").candidates
    timing = Timing(HedgePolicy())
    first = timing.delay(candidate, method(), 0.0)
    candidate.channel.evidence["eth_call"] = seen(0.02, times=100)
    assert timing.delay(candidate, method(), 0.0) == first
    assert Timing(HedgePolicy()).delay(candidate, method(), 0.0) < first
    assert Timing(None).delay(candidate, method(), 0.0) == inf


# How many


def test_each_call_earns_a_twentieth_of_a_hedge() -> None:
    hedges, calls = Hedges(tokens=0.0), 0
    for calls in range(1, 1001):
        if not hedges.refusal(0.05, calls, 1):
            hedges.fire()
            hedges.end(won=False)
    assert hedges.fired == 50 - 1 or hedges.fired == 50


def test_saved_up_hedges_are_limited() -> None:
    hedges = Hedges()
    assert hedges.refusal(0.05, 1_000_000, 1) == ""
    assert hedges.tokens == MOST_TOKENS


def test_an_empty_bucket_is_the_reason() -> None:
    assert Hedges(tokens=0.5).refusal(0.05, 1, 1) == "budget"


def test_few_hedges_are_in_flight_at_one_time() -> None:
    hedges = Hedges()
    for _ in range(2):
        assert hedges.refusal(0.05, 0, 5) == ""
        hedges.fire()
    assert hedges.refusal(0.05, 0, 5) == "in_flight"
    assert hedges.refusal(0.05, 0, 100) == ""
    hedges.end(won=True)
    assert hedges.refusal(0.05, 0, 5) == ""
    assert (hedges.fired, hedges.won, hedges.wasted, hedges.in_flight) == (2, 1, 0, 1)


@given(st.lists(st.integers(0, 40), max_size=200), st.floats(0, 1))
def test_the_budget_is_never_exceeded(bursts: list[int], share: float) -> None:
    hedges, calls = Hedges(), 0
    for burst in bursts:
        calls += burst
        for _ in range(burst):
            if not hedges.refusal(share, calls, 1_000):
                hedges.fire()
                hedges.end(won=False)
    assert hedges.fired <= MOST_TOKENS + share * calls + 1e-6


# Who


def never_slow(_: object) -> float:
    return 0.0


def test_the_best_other_instance_is_asked(chain_of: ChainOf) -> None:
    a, b, c = chain_of("a", "b", "c").candidates
    assert pick([b, c], {a.channel.instance_id}, 1.0, never_slow, 0.0) == (b, "")
    assert pick([b, c], {b.channel.instance_id}, 1.0, never_slow, 0.0) == (c, "")


def test_the_same_instance_is_not_asked_twice_under_another_name_or_transport(chain_of: ChainOf) -> None:
    a, b = chain_of("a", "b", instances={"a": "1:x:0", "b": "1:x:0"}).candidates
    assert pick([b], {a.channel.instance_id}, 1.0, never_slow, 0.0) == (None, "nobody_else")
    http, ws = chain_of("a", ws=["a"]).candidates
    assert pick([ws], {http.channel.instance_id}, 1.0, never_slow, 0.0) == (None, "nobody_else")


def test_a_throttled_one_is_not_asked(chain_of: ChainOf) -> None:
    _, b, c = chain_of("a", "b", "c").candidates
    b.channel.cooldown.begin(0.0, 5.0, b.channel.rng)
    assert pick([b, c], set(), 1.0, never_slow, 0.0) == (c, "")
    assert pick([b], set(), 1.0, never_slow, 0.0) == (None, "cooldown")


def test_one_that_cannot_be_in_time_is_not_asked(chain_of: ChainOf) -> None:
    _, b, c = chain_of("a", "b", "c").candidates
    typical = {b: 0.2, c: 0.05}
    assert pick([b, c], set(), 0.1, lambda who: typical[who], 0.0) == (c, "")
    assert pick([b], set(), 0.1, lambda who: typical[who], 0.0) == (None, "deadline")


# Who says nothing any more


@pytest.mark.parametrize(
    ("in_flight", "heard_at", "other_heard_at", "age", "silent"),
    [
        (3, 9.7, 9.9, 0.3, True),
        (3, -inf, 9.9, 0.3, True),
        (2, 9.7, 9.9, 0.3, False),  # too few to tell
        (3, 9.7, 9.9, 0.2, False),  # too early
        (3, 9.8, 9.9, 0.3, False),  # it answered somebody meanwhile
        (3, 9.0, 9.7, 0.3, False),  # the other one says nothing either
        (3, 9.0, -inf, 0.3, False),
        (3, 9.6, 9.9, 1.0, False),  # who waits long takes longer pauses for none
        (3, 9.4, 9.9, 1.0, True),
    ],
)
def test_a_provider_is_silent_that_answers_nobody_while_another_one_does(
    chain_of: ChainOf, in_flight: int, heard_at: float, other_heard_at: float, age: float, silent: bool
) -> None:
    one, other = (candidate.channel for candidate in chain_of("a", "b").candidates)
    one.in_flight, one.heard_at, other.heard_at = in_flight, heard_at, other_heard_at
    assert is_silent(one, other, 10.0 - age, 10.0) is silent
