from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.routing.client_limit import MOST_CLIENTS, ClientLimit
from lasso_trio.routing.lease import ALONE_S, LATEST_S, Lease
from lasso_trio.routing.leased_limit import LeasedLimit

WHOLE = Lease(1e9, 1.0)

calls = st.lists(st.tuples(st.floats(0, 2), st.integers(1, 20)), min_size=1, max_size=60)


@given(st.integers(1, 50), st.integers(1, 50), calls)
def test_without_leases_it_is_a_plain_limit(rate: int, burst: int, asked: list[tuple[float, int]]) -> None:
    plain, leased, now = ClientLimit(rate, burst), LeasedLimit(rate, burst), 0.0
    for pause, n in asked:
        now += pause
        assert leased.take("x", n, now) == plain.take("x", n, now)


def settle(limit: LeasedLimit, now: float, lease: Lease) -> None:
    turn = limit.turn("p", now, 500)
    limit.settle(turn, tuple(lease for _ in turn.reports), now)


def test_a_share_fills_at_its_part_of_the_rate_and_holds_its_part_of_the_burst() -> None:
    limit = LeasedLimit(rate=10, burst=8)
    assert limit.take("x", 1, 0.0) == 0.0
    settle(limit, 0.0, Lease(8.0, 0.25))
    assert [limit.take("x", 1, 0.0) for _ in range(3)] == [0.0, 0.0, pytest.approx(0.4)]
    assert limit.take("x", 1, 0.4) == 0.0


def test_debt_is_waited_for() -> None:
    limit = LeasedLimit(rate=10, burst=5)
    limit.take("x", 5, 0.0)
    settle(limit, 0.0, Lease(-10.0, 0.5))
    assert limit.take("x", 1, 0.0) == pytest.approx((1 + 5) / 5)


def test_a_lease_adds_nothing_to_what_is_here() -> None:
    limit = LeasedLimit(rate=10, burst=5)
    limit.take("x", 5, 0.0)
    settle(limit, 0.0, Lease(5.0, 1.0))
    assert limit.take("x", 1, 0.0) == pytest.approx(0.1)


def test_a_batch_larger_than_a_share_can_hold_goes_through_and_is_paid_for() -> None:
    limit = LeasedLimit(rate=10, burst=10)
    limit.take("x", 1, 0.0)
    settle(limit, 0.0, Lease(10.0, 0.2))
    assert limit.take("x", 8, 0.0) == 0.0
    assert limit.take("x", 1, 0.0) == pytest.approx((1 + 6) / 2)


def test_what_is_reported_is_what_was_given_and_what_was_asked_for_once() -> None:
    limit = LeasedLimit(rate=1, burst=2)
    for _ in range(5):
        limit.take("x", 1, 0.0)
    (report,) = limit.turn("p", 0.0, 500).reports
    assert (report.limit, report.client, report.spent, report.asked) == ("p", "x", 2.0, 5.0)
    assert limit.turn("p", 0.0, 500).reports == ()


def test_what_is_spent_while_a_report_is_under_way_is_still_counted() -> None:
    limit = LeasedLimit(rate=10, burst=10)
    limit.take("x", 6, 0.0)
    turn = limit.turn("p", 0.0, 500)
    assert limit.take("x", 3, 0.0) == 0.0
    limit.settle(turn, (Lease(2.0, 1.0),), 0.0)
    assert limit.take("x", 1, 0.0) == pytest.approx(0.2)  # 2 − 3: one is owed


def test_who_has_plenty_is_reported_twice_a_second_and_who_has_not_at_each_turn() -> None:
    limit = LeasedLimit(rate=10, burst=10)
    limit.take("x", 1, 0.0)
    settle(limit, 0.0, WHOLE)
    limit.take("x", 1, 0.1)
    assert limit.turn("p", 0.1, 500).reports == ()
    limit.take("x", 6, 0.1)
    assert len(limit.turn("p", 0.2, 500).reports) == 1
    settle(limit, 0.2, WHOLE)
    assert limit.turn("p", 0.2 + LATEST_S, 500).reports == ()  # nothing was asked
    limit.take("x", 1, 0.2 + LATEST_S)
    assert len(limit.turn("p", 0.2 + LATEST_S, 500).reports) == 1


def test_a_share_that_nobody_confirms_becomes_the_whole_again() -> None:
    limit = LeasedLimit(rate=10, burst=10)
    limit.take("x", 10, 0.0)
    settle(limit, 0.0, Lease(0.0, 0.1))
    assert limit.take("x", 1, ALONE_S + 1) == 0.0  # its tenth is full, and the whole from here on
    now = ALONE_S + 2
    assert [limit.take("x", 1, now) for _ in range(11)].count(0.0) == 10


def test_a_turn_is_bounded_and_goes_on_where_it_stopped() -> None:
    limit = LeasedLimit(rate=1, burst=1)
    for client in "abc":
        limit.take(client, 1, 0.0)
    assert [[report.client for report in limit.turn("p", 0.0, 2).reports] for _ in range(3)] == [["a", "b"], ["c"], []]


def test_a_flood_of_clients_of_which_no_bank_wants_to_hear_has_a_bound() -> None:
    limit = LeasedLimit(rate=1, burst=100)
    for n in range(3 * MOST_CLIENTS):
        limit.take(str(n), 1, n / 1000)
    assert len(limit.turn("p", 0.0, 4 * MOST_CLIENTS).reports) <= MOST_CLIENTS
