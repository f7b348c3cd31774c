from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.dashboard import bins
from lasso_trio.providers.latency import LogHistogram

durations = st.lists(st.floats(0.0001, 100.0), min_size=1, max_size=60)


def histogram(seconds: list[float]) -> LogHistogram:
    made = LogHistogram()
    for each in seconds:
        made.add(each)
    return made


@given(durations)
def test_nothing_is_lost_in_wider_bins(seconds: list[float]) -> None:
    found = bins.of_buckets(histogram(seconds).buckets)
    assert sum(found.values()) == len(seconds)
    assert all(0 <= number < bins.COUNT for number in found)


@given(st.floats(0.0001, 100.0))
def test_a_duration_lies_between_the_edges_of_its_bin(seconds: float) -> None:
    (number,) = bins.of_buckets(histogram([seconds]).buckets)
    assert bins.EDGES_MS[number] * 0.999 <= seconds * 1000 <= bins.EDGES_MS[number + 1] * 1.001


@given(durations, st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_within_a_bin_of_the_exact_one(seconds: list[float], q: float) -> None:
    exact = histogram(seconds).quantile(q)
    found = bins.quantile_ms(bins.of_buckets(histogram(seconds).buckets), q)
    assert exact is not None
    assert found == pytest.approx(exact * 1000, rel=0.25)


def test_the_outermost_durations_have_bins_too() -> None:
    found = bins.of_buckets(histogram([0.0, 10_000.0]).buckets)
    assert (min(found), max(found) < bins.COUNT) == (0, True)


def test_nothing_has_no_quantile() -> None:
    assert bins.quantile_ms({}, 0.5) is None


@given(durations, durations)
def test_what_has_grown_is_what_came_in_between(before: list[float], more: list[float]) -> None:
    first, both = bins.of_buckets(histogram(before).buckets), bins.of_buckets(histogram(before + more).buckets)
    assert bins.grown(first, both) == bins.of_buckets(histogram(more).buckets)
    assert bins.added(first, bins.of_buckets(histogram(more).buckets)) == both


def test_when_something_went_nobody_can_tell_what_came() -> None:
    assert bins.grown({1: 2}, {1: 1}) is None
    assert bins.grown({1: 2}, {2: 5}) is None


def test_a_row_has_a_number_for_each_bin() -> None:
    assert bins.row({3: 7}, 2, 5) == [0, 7, 0]
