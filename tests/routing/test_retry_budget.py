from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.devnet import Failure, Faults, Kind
from lasso_trio.routing.retry_budget import LEAST_PER_S, MOST_TOKENS, SHARE, Ration, RetryBudget

Build = Callable[..., Any]
Clock = trio.testing.MockClock
FAILING = Faults(failures=(Failure(Kind.HTTP, status=500),))


def test_without_tokens_nothing_is_sent_again_and_that_is_counted() -> None:
    budget = RetryBudget(tokens=0.5)
    assert not budget.affords(1.0)
    assert budget.refused == 1
    assert budget.affords(1.0 + 1 / LEAST_PER_S)
    budget.spend()
    assert (budget.spent, budget.refused) == (1, 1)


def test_a_clock_that_stands_still_earns_what_calls_bring_and_no_more() -> None:
    budget = RetryBudget(tokens=0.0)
    budget.affords(1.0)
    budget.calls += 10
    assert budget.affords(1.0)
    assert budget.tokens == SHARE * 10


def test_what_is_dispatched_in_any_case_is_paid_at_once() -> None:
    budget = RetryBudget(tokens=1.5)
    assert (budget.pay(1.0), budget.pay(1.0)) == (True, False)
    assert (budget.tokens, budget.spent, budget.refused) == (0.5, 1, 1)


def test_a_ration_takes_tokens_first_and_lasts_one_dispatch_longer() -> None:
    budget = RetryBudget(tokens=1.0)
    ration = Ration(budget)
    for free in (1, 0):
        assert ration.affords(1.0)
        ration.spend()
        assert (ration.free, budget.tokens, budget.spent) == (free, 0.0, 1)
    assert budget.refused == 0
    assert not ration.affords(1.0)
    assert budget.refused == 1


def test_without_a_budget_a_ration_has_no_end() -> None:
    ration = Ration(None)
    for _ in range(3):
        assert ration.affords(1.0)
        ration.spend()
    assert ration.free == 1


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 2), st.integers(0, 60)), max_size=40))
def test_it_is_never_exceeded(steps: list[tuple[int, float, int]]) -> None:
    """Calls come, time passes, and as many want to be sent again."""
    budget, now = RetryBudget(), 0.0
    budget.affords(now)
    for calls, passed, wanted in steps:
        budget.calls, now = budget.calls + calls, now + passed
        for _ in range(wanted):
            if budget.affords(now):
                budget.spend()
        assert 0 <= budget.tokens <= MOST_TOKENS
        assert budget.spent <= MOST_TOKENS + SHARE * budget.calls + LEAST_PER_S * now + 1e-6


async def test_whom_a_breaker_keeps_away_costs_nothing(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": FAILING, "b": FAILING, "c": FAILING, "d": FAILING})
    request, now = it.request(), trio.current_time()
    plan = it.routed.plan(request.method, request.params, now, it.routed.strategy_for(request.method))
    for name in ("b", "c"):  # since the plan was made
        it.channel(name).breaker.quarantine("test", now)
    plan.version, plan.valid_until = it.routed.registry.version.value, now + 9
    assert (await it.serve()).outcome.retries == 1
    assert it.asked == {"a": 1, "d": 1}
    assert it.service.retries.spent == 1


async def test_a_call_that_may_not_be_sent_again_is_refused_once(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": FAILING, "b": Faults()})
    it.service.retries.tokens = 0.0
    assert (await it.serve()).outcome.failed
    assert (it.asked, it.service.retries.refused) == ({"a": 1}, 1)
