from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.providers.outcome_window import PANE_S, SPAN_S, OutcomeWindow


def test_it_counts_calls_and_the_weight_of_failures() -> None:
    window = OutcomeWindow()
    window.success(100.0)
    window.failure(103.0, 1.0)
    window.failure(104.0, 0.5)
    assert window.totals(105.0) == (3, 1.5)


def test_what_is_older_than_its_span_is_forgotten_and_what_is_younger_than_all_but_a_pane_is_not() -> None:
    window = OutcomeWindow()
    window.failure(100.0, 1.0)
    assert window.totals(100.0 + SPAN_S - PANE_S) == (1, 1.0)
    assert window.totals(100.0 + SPAN_S) == (0, 0.0)


@given(st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=60))
def test_it_holds_everything_of_the_last_eight_seconds_and_nothing_older_than_ten(
    steps: list[tuple[float, bool]],
) -> None:
    window, now, ends = OutcomeWindow(), 50.0, []
    for wait, good in steps:
        now += wait
        window.success(now) if good else window.failure(now, 1.0)
        ends.append(now)
        calls, failed = window.totals(now)
        assert sum(t > now - (SPAN_S - PANE_S) for t in ends) <= calls <= sum(t >= now - SPAN_S - 1e-6 for t in ends)
        assert failed <= calls


def test_clearing_forgets_everything() -> None:
    window = OutcomeWindow()
    window.failure(100.0, 1.0)
    window.clear()
    assert window.totals(100.0) == (0, 0.0)


def test_the_rate_is_over_the_time_there_was() -> None:
    window = OutcomeWindow()
    assert window.per_second(100.0) == 0.0
    for n in range(40):
        window.success(100.0 + n / 20)
    assert window.per_second(102.0) == pytest.approx(20.0)
    for n in range(400):
        window.success(102.0 + n / 20)
    assert window.per_second(122.0) == pytest.approx(20.0, rel=0.25)
