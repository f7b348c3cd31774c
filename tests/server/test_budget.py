from __future__ import annotations

import pytest

from lasso_trio.server.address_tally import AddressTally
from lasso_trio.server.budget import MIN_CHARGE, ByteBudget


def test_reservations_end_at_the_limit_and_a_refusal_charges_nothing() -> None:
    budget = ByteBudget(100_000)
    assert budget.reserve(60_000)
    assert not budget.reserve(60_000)
    assert budget.reserve(40_000)
    assert (budget.used, budget.refused) == (100_000, 1)


def test_released_bytes_can_be_reserved_again() -> None:
    budget = ByteBudget(10_000)
    assert budget.reserve(10_000)
    budget.release(10_000)
    assert budget.used == 0
    assert budget.reserve(10_000)


def test_small_body_is_charged_the_minimum_both_ways() -> None:
    budget = ByteBudget(10_000)
    assert budget.reserve(1)
    assert budget.used == MIN_CHARGE
    budget.release(1)
    assert budget.used == 0


def test_releasing_twice_is_a_bug() -> None:
    budget = ByteBudget(10_000)
    with pytest.raises(AssertionError):
        budget.release(1)


def test_one_address_has_its_share_and_no_more() -> None:
    budget = ByteBudget(100_000, AddressTally(40_000))
    assert budget.reserve(30_000, "192.0.2.1")
    assert not budget.reserve(20_000, "192.0.2.1")
    assert budget.reserve(20_000, "192.0.2.2")
    assert (budget.used, budget.refused, budget.each.refused) == (50_000, 1, 1)
    budget.release(30_000, "192.0.2.1")
    assert budget.reserve(40_000, "192.0.2.1")
