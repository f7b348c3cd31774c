"""Budgets are kept to exactly, in any second and in any day, and there is always a way back."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lasso_trio.config.profile import Allowance
from lasso_trio.providers.allowance import DAY_HOURS, HOUR_S, SHORTEST_PAUSE_S, Budget, tightest

NOW = 1000.0
DAY_S = DAY_HOURS * HOUR_S


def spend(budget: Budget, now: float, method: str = "eth_call") -> bool:
    if budget.affords(method, now):
        budget.spend(method, now)
        return True
    return False


def test_so_many_in_a_second_and_no_more() -> None:
    budget = Budget(Allowance(rps=3))
    assert [spend(budget, NOW + n / 10) for n in range(5)] == [True, True, True, False, False]
    assert budget.spent(NOW + 0.5) == (3, 0)
    assert spend(budget, NOW + 1.0)
    assert not spend(budget, NOW + 1.05)


def test_it_says_when_it_is_used_up_and_until_when() -> None:
    budget = Budget(Allowance(rps=2))
    assert budget.spend("eth_call", NOW) is False
    assert budget.spend("eth_call", NOW + 0.2) is True
    assert budget.over(NOW + 0.9)
    assert budget.until == NOW + 1.0
    assert not budget.over(NOW + 1.0)


def test_it_is_over_for_a_moment_at_least() -> None:
    budget = Budget(Allowance(rps=2))
    budget.spend("eth_call", NOW)
    budget.spend("eth_call", NOW + 0.99)
    assert budget.until == NOW + 0.99 + SHORTEST_PAUSE_S


def test_methods_spend_their_weight() -> None:
    budget = Budget(Allowance(rps=5, weights={"eth_chainId": 0, "eth_call": 4}))
    assert spend(budget, NOW)
    assert not spend(budget, NOW, "eth_getLogs")
    assert spend(budget, NOW, "eth_blockNumber")
    assert all(spend(budget, NOW, "eth_chainId") for _ in range(100))


def test_what_is_worth_more_than_a_second_is_sent_and_counts_for_as_long_as_it_is_worth() -> None:
    budget = Budget(Allowance(rps=4))
    assert spend(budget, NOW, "debug_traceTransaction")
    assert not spend(budget, NOW + 2.4)
    assert spend(budget, NOW + 2.5)
    assert not spend(budget, NOW + 2.6, "debug_traceTransaction")


def test_so_many_in_a_day_and_back_a_day_later() -> None:
    budget = Budget(Allowance(daily=3))
    assert [spend(budget, NOW + n * 2000) for n in range(4)] == [True, True, True, False]
    assert budget.over(NOW + DAY_S)
    assert budget.spent(NOW + DAY_S) == (0, 3)
    assert budget.until == NOW + DAY_S + HOUR_S
    assert spend(budget, budget.until)


def test_terms_can_be_exchanged_and_what_was_spent_still_counts() -> None:
    budget = Budget(Allowance(rps=5, daily=5))
    for _ in range(4):
        assert spend(budget, NOW)
    budget.keep_to(terms=Allowance(rps=3, daily=5))
    assert not spend(budget, NOW)
    assert spend(budget, NOW + 1)
    assert not spend(budget, NOW + 10)


@given(
    st.integers(1, 20),
    st.integers(1, 60),
    st.lists(st.tuples(st.floats(0, 0.5), st.sampled_from(["eth_call", "eth_getProof", "eth_getLogs"])), max_size=200),
)
@hypothesis_settings(deadline=None)
def test_no_second_and_no_day_ever_sees_more(rps: int, daily: int, calls: list[tuple[float, str]]) -> None:
    weights = {"eth_call": 1, "eth_getProof": 2, "eth_getLogs": 3}
    budget, now, sent = Budget(Allowance(rps=rps, daily=daily)), NOW, []
    for wait, method in calls:
        now += wait
        if spend(budget, now, method):
            sent.append((now, weights[method]))
            second = [w for t, w in sent if t > now - 1.0 + 1e-9]
            assert sum(second) <= rps or len(second) == 1
    assert sum(weight for _, weight in sent) <= daily


@given(st.integers(1, 30), st.lists(st.floats(0, 2 * HOUR_S), max_size=120))
@hypothesis_settings(deadline=None)
def test_no_24_hours_see_more_than_the_daily_budget_and_nobody_waits_longer_than_25(
    daily: int, waits: list[float]
) -> None:
    budget, now, sent = Budget(Allowance(daily=daily)), NOW, []
    for wait in waits:
        now += wait
        if spend(budget, now):
            sent.append(now)
            assert sum(t > now - DAY_S for t in sent) <= daily
        else:
            assert 0 < budget.until - now <= DAY_S + HOUR_S
    assert spend(budget, now + DAY_S + HOUR_S)


@given(st.integers(1, 50), st.floats(1, 500))
@hypothesis_settings(deadline=None, max_examples=30)
def test_under_any_load_the_whole_of_it_is_used(rps: int, offered: float) -> None:
    budget, now, sent = Budget(Allowance(rps=rps)), NOW, 0
    while now < NOW + 10:
        sent += spend(budget, now)
        now += 1 / offered
    assert sent >= 0.75 * min(rps, offered) * 9


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (Allowance(), Allowance(), Allowance()),
        (Allowance(rps=5), Allowance(), Allowance(rps=5)),
        (Allowance(rps=5, daily=9), Allowance(rps=7, daily=8), Allowance(rps=5, daily=8)),
        (
            Allowance(weights={"a": 1, "b": 5}),
            Allowance(weights={"b": 2, "c": 3}),
            Allowance(weights={"a": 1, "b": 5, "c": 3}),
        ),
    ],
)
def test_of_two_allowances_the_tighter_holds(first: Allowance, second: Allowance, both: Allowance) -> None:
    assert tightest(first, second) == tightest(second, first) == both


@pytest.mark.parametrize("change", [{"terms": Allowance(daily=100)}, {"share": 1.0}, {"terms": Allowance()}])
def test_who_is_allowed_more_is_back_at_once(change: dict[str, Any]) -> None:
    budget = Budget(Allowance(daily=6), share=0.5)
    for n in range(3):
        assert spend(budget, NOW + n)
    assert budget.over(NOW + 60)
    budget.keep_to(**change)
    assert not budget.over(NOW + 60)
    assert spend(budget, NOW + 60)


def test_who_is_allowed_less_than_was_spent_is_out_until_a_day_has_passed() -> None:
    budget = Budget(Allowance(daily=10))
    for n in range(5):
        assert spend(budget, NOW + n)
    assert not budget.over(NOW + 60)
    budget.keep_to(terms=Allowance(daily=5))
    assert budget.until == NOW + DAY_S + HOUR_S
    assert not spend(budget, NOW + 60)
    budget.keep_to(share=1.0)
    assert budget.over(NOW + 60)


def test_a_day_without_calls_is_not_spent() -> None:
    budget = Budget(Allowance(daily=5))
    budget.keep_to(terms=Allowance(daily=1), share=0.0)
    assert not budget.over(NOW)


def test_probes_have_the_whole_day_whatever_the_share() -> None:
    budget = Budget(Allowance(daily=4), share=0.25)
    assert spend(budget, NOW)
    assert (budget.affords("eth_call", NOW), budget.affords_probe("eth_call", NOW)) == (False, True)


def test_a_full_second_is_no_matter_of_the_day() -> None:
    budget = Budget(Allowance(rps=1, daily=3))
    assert spend(budget, NOW)
    assert (budget.affords("eth_call", NOW), budget.affords_probe("eth_call", NOW)) == (False, True)
    assert not budget.affords_probe("debug_traceTransaction", NOW)


def test_it_says_how_long_a_call_must_wait() -> None:
    budget = Budget(Allowance(rps=1, daily=3))
    assert budget.wait_s("eth_call", NOW) is None
    assert budget.wait_s("debug_traceTransaction", NOW) == inf
    assert spend(budget, NOW)
    assert budget.wait_s("eth_call", NOW + 0.25) == 0.75
    assert spend(budget, NOW + 1)
    assert spend(budget, NOW + 2)
    assert budget.wait_s("eth_call", NOW + 10) == DAY_S + HOUR_S - 10
