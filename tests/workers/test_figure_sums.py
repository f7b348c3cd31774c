"""Figures of several workers as one."""

from __future__ import annotations

from collections import Counter

from lasso_trio.providers.latency import Evidence
from lasso_trio.routing.candidate import Tally
from lasso_trio.routing.routed_chain import ChainCounts
from lasso_trio.workers.figure_sums import (
    candidates_of_the_gone,
    chains_of_the_gone,
    counts_with,
    of_candidate,
    of_chain,
    of_row,
    rows_of_the_gone,
    tally_with,
    window_of,
)
from tests.dashboard.boards import directory_of


def counted(times: int, now: float) -> ChainCounts:
    counts = ChainCounts(calls=times, sent=times - 1, errors=2, failovers=3, cancelled=4, limited=5)
    counts.call_rate.add(now, times)
    counts.failover_rate.add(now, 3)
    counts.hedges.fired, counts.hedges.won, counts.hedges.wasted, counts.hedges.in_flight = 6, 4, 2, 1
    counts.hedges.saved_s, counts.hedges.suppressed = 1.5, Counter(budget=2)
    return counts


async def test_a_chains_counts_and_rates_are_added_and_ones_own_stay_as_they_are() -> None:
    (routed,) = directory_of().chains()
    routed.counts = counted(10, 100)
    told, own = of_chain(routed, 100), counted(7, 101)
    whole = counts_with(own, [(told, 100)], 101)
    assert (whole.calls, whole.errors, whole.failovers, whole.cancelled, whole.limited) == (17, 4, 6, 8, 10)
    assert whole.sent == 9 + 6
    assert (whole.call_rate.total(101), whole.failover_rate.total(101)) == (17, 6)
    assert (whole.hedges.fired, whole.hedges.won, whole.hedges.wasted, whole.hedges.in_flight) == (12, 8, 4, 2)
    assert (whole.hedges.saved_s, whole.hedges.suppressed, whole.hedges.tokens) == (3.0, {"budget": 4}, 40)
    assert (own.calls, own.hedges.fired, own.call_rate.total(101)) == (7, 6, 7)
    assert counts_with(own, [(told, 100)], 200).call_rate.total(200) == 0


async def test_a_candidates_tally_is_added() -> None:
    (routed,) = directory_of().chains()
    candidate = routed.candidates[0]
    candidate.tally = Tally(5, 4, 1, 2, 0.5)
    candidate.tally.rates.add(100, 5)
    whole = tally_with(Tally(1, 1, 0, 0, 0.25), [(of_candidate(routed, candidate, 100), 100)], 100)
    assert (whole.attempts, whole.answered, whole.failures, whole.throttled, whole.seconds) == (6, 5, 1, 2, 0.75)
    assert whole.rates.total(100) == 5


async def test_a_methods_window_is_the_same_after_the_bus() -> None:
    (routed,) = directory_of().chains()
    evidence = Evidence()
    for seconds in (0.01, 0.02, 0.5):
        evidence.record(seconds, 100)
    evidence.record_failure(100)
    evidence.record_censored(1.0, 100)
    told = of_row(routed.candidates[0].channel, "eth_call", evidence, 100)
    assert (told.method, told.answered, told.failed) == ("eth_call", 3, 1)
    window, own = window_of(told), evidence.window(100)
    assert window.quantile(0.5) == own.quantile(0.5)
    assert (window.latency.count, window.latency.total, window.censored.count) == (3, own.latency.total, 1)
    assert window.failures == 1


async def test_of_those_that_are_gone_the_counts_stay_and_what_they_were_doing_does_not() -> None:
    (routed,) = directory_of().chains()
    routed.counts = counted(10, 100)
    chain, candidate = of_chain(routed, 100), of_candidate(routed, routed.candidates[0], 100)
    once, twice = chains_of_the_gone(chain), chains_of_the_gone(chain, chain)
    assert (once.calls, twice.calls, twice.suppressed) == (10, 20, {"budget": 4})
    assert (once.racing, once.tokens, once.call_rate, once.failover_rate) == (0, 0, [], [])
    assert candidates_of_the_gone(candidate).rates == []
    assert candidates_of_the_gone(candidate, candidate).attempts == 2 * candidate.attempts
    evidence = Evidence()
    evidence.record(0.01, 100)
    row = of_row(routed.candidates[0].channel, "eth_call", evidence, 100)
    assert (rows_of_the_gone(row).answered, rows_of_the_gone(row, row).answered) == (1, 2)
    assert window_of(rows_of_the_gone(row)).latency.count == 0
