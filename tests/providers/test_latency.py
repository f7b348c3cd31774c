"""Evidence: histograms stay within their error, windows forget, censored attempts never flatter."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.providers.latency import HIGHEST_S, LOWEST_S, RELATIVE_ERROR, Evidence, LogHistogram, Window

durations = st.floats(min_value=LOWEST_S, max_value=HIGHEST_S)
quantiles = st.floats(min_value=0.0, max_value=1.0)


def histogram(values: list[float]) -> LogHistogram:
    made = LogHistogram()
    for value in values:
        made.add(value)
    return made


@given(st.lists(durations, min_size=1, max_size=200), quantiles)
def test_a_quantile_is_within_two_percent_of_the_sorted_lists(values: list[float], q: float) -> None:
    exact = sorted(values)[max(1, ceil(q * len(values))) - 1]
    assert histogram(values).quantile(q) == pytest.approx(exact, rel=RELATIVE_ERROR * 1.001)


@given(st.lists(durations), st.lists(durations), st.lists(durations))
def test_merging_in_any_order_gives_the_same_histogram(a: list[float], b: list[float], c: list[float]) -> None:
    left, right = histogram(a), histogram(b)
    left.merge(histogram(b))
    left.merge(histogram(c))
    right.merge(histogram(c))
    right.merge(histogram(a))
    assert left.buckets == right.buckets == histogram(a + b + c).buckets
    assert left.count == right.count
    assert left.total == pytest.approx(right.total)


@pytest.mark.parametrize(("odd", "stands_for"), [(0.0, LOWEST_S), (-1.0, LOWEST_S), (1e9, HIGHEST_S)])
def test_what_lies_outside_counts_in_the_outermost_bucket(odd: float, stands_for: float) -> None:
    assert histogram([odd]).quantile(0.5) == pytest.approx(stands_for, rel=3 * RELATIVE_ERROR)


def test_what_is_merged_into_an_empty_histogram_stays_as_it_is() -> None:
    whole, part = LogHistogram(), LogHistogram()
    part.add(0.1)
    whole.merge(part)
    whole.merge(part)
    assert (whole.count, part.count) == (2, 1)
    assert sum(whole.buckets.values()) == 2
    assert sum(part.buckets.values()) == 1


def test_an_empty_histogram_has_no_mean_and_no_quantile() -> None:
    assert LogHistogram().mean is None
    assert LogHistogram().quantile(0.5) is None


def window(seen: list[float], censored: list[float]) -> Window:
    made = Window()
    for value in seen:
        made.latency.add(value)
    for value in censored:
        made.censored.add(value)
    return made


@given(st.lists(durations, min_size=1), quantiles)
def test_without_censored_attempts_a_window_agrees_with_its_histogram(seen: list[float], q: float) -> None:
    assert window(seen, []).quantile(q) == histogram(seen).quantile(q)


@given(st.lists(durations), st.lists(durations), st.lists(quantiles, min_size=1).map(sorted))
def test_several_quantiles_at_once_are_those_one_by_one(seen: list[float], left: list[float], qs: list[float]) -> None:
    found = window(seen, left)
    assert found.quantiles(*qs) == [found.quantile(q) for q in qs]


@given(st.lists(durations, min_size=1), st.lists(durations), durations, quantiles)
def test_one_more_censored_attempt_never_lowers_a_quantile(
    seen: list[float], censored: list[float], one_more: float, q: float
) -> None:
    before, after = window(seen, censored).quantile(q), window(seen, [*censored, one_more]).quantile(q)
    assert before is not None
    assert after is not None
    assert after >= before


def test_a_censored_attempt_is_at_risk_only_up_to_its_time() -> None:
    # By hand: after 0.01 four of five are left, two of them leave at 0.02, one of the last two answers at 0.1.
    assert window([0.01, 0.1, 0.2], [0.02, 0.02]).quantile(0.5) == pytest.approx(0.1, rel=0.03)


def test_losing_most_races_moves_the_median_beyond_the_lucky_answers() -> None:
    lucky = window([0.010] * 10, [])
    unlucky = window([0.010] * 10, [0.050] * 30)
    assert lucky.quantile(0.5) == pytest.approx(0.010, rel=0.03)
    assert unlucky.quantile(0.5) == pytest.approx(0.050, rel=0.03)


def test_an_attempt_cut_short_says_little_about_longer_times() -> None:
    assert window([0.100] * 10, [0.005] * 30).quantile(0.5) == pytest.approx(0.100, rel=0.03)


def test_mean_is_of_successes_and_expected_adds_the_time_that_brought_no_answer() -> None:
    evidence = Evidence()
    for _ in range(4):
        evidence.record(0.010, 0.0)
    evidence.record_censored(0.060, 0.0)
    assert evidence.mean(0.0) == pytest.approx(0.010)
    assert evidence.expected(0.0) == pytest.approx(0.025)


def test_without_a_success_there_is_no_mean_no_expectation_and_no_quantile() -> None:
    evidence = Evidence()
    evidence.record_censored(1.0, 0.0)
    evidence.record_failure(0.0)
    assert evidence.mean(0.0) is None
    assert evidence.expected(0.0) is None
    assert evidence.quantile(0.5, 0.0) is None


@given(st.floats(min_value=0, max_value=1e6), st.floats(min_value=0, max_value=2000))
def test_evidence_lives_between_one_and_two_spans(start: float, later: float) -> None:
    evidence = Evidence(span=150.0)
    evidence.record(0.1, start)
    evidence.record(0.1, start + later)
    if later < 150:
        assert evidence.count(start + later) == 2
    if later > 300:
        assert evidence.count(start + later) == 1


@given(st.floats(min_value=0, max_value=2000), st.floats(min_value=0, max_value=149))
def test_after_any_pause_new_evidence_lives_for_a_whole_span(pause: float, later: float) -> None:
    evidence = Evidence(span=150.0)
    evidence.record(0.1, 0.0)
    evidence.record(0.2, pause)
    evidence.count(pause)
    assert evidence.count(pause + later) >= 1


def test_windows_rotate_at_steady_load_and_totals_do_not_forget() -> None:
    evidence = Evidence(span=10.0)
    for second in range(100):
        evidence.record(0.1, float(second))
        evidence.record_failure(float(second))
    assert 10 < evidence.count(99.5) <= 20
    assert evidence.failures(99.5) == evidence.count(99.5)
    assert (evidence.successes_total, evidence.failures_total) == (100, 100)
    assert evidence.count(500.0) == 0
    assert (evidence.successes_total, evidence.failures_total) == (100, 100)


def test_old_latencies_leave_the_mean() -> None:
    evidence = Evidence(span=150.0)
    evidence.record(5.0, 0.0)
    evidence.record(0.1, 299.0)
    assert evidence.mean(299.0) == pytest.approx(2.55)
    assert evidence.mean(301.0) == pytest.approx(0.1)


def test_a_cached_quantile_follows_small_samples_at_once_and_large_ones_within_a_thirtysecond() -> None:
    evidence = Evidence()
    for _ in range(20):
        evidence.record(0.010, 0.0)
        assert evidence.quantile(0.99, 0.0) == pytest.approx(0.010, rel=0.03)
    evidence.record(1.0, 0.0)
    assert evidence.quantile(0.99, 0.0) == pytest.approx(1.0, rel=0.03)
    for _ in range(979):
        evidence.record(1.0, 0.0)
    assert evidence.quantile(0.5, 0.0) == pytest.approx(1.0, rel=0.03)


def test_a_cached_quantile_does_not_outlive_its_window() -> None:
    evidence = Evidence(span=150.0)
    for _ in range(100):
        evidence.record(1.0, 0.0)
    assert evidence.quantile(0.5, 0.0) is not None
    assert evidence.quantile(0.5, 400.0) is None


def play(script: str, now: float = 0.0) -> Evidence:
    evidence = Evidence()
    for step in script:
        if step == "S":
            evidence.record(0.01, now)
        else:
            evidence.record_failure(now)
    return evidence


@pytest.mark.parametrize(
    ("script", "qualified"),
    [
        ("", False),
        ("SS", False),
        ("SSS", True),
        ("SFSFSFS", False),
        ("SFSFSFSS", True),
        ("SSSSSSSSSSSSFF", True),
        ("SSSSSSSSSSSSFFF", False),
        ("FSSS", True),
    ],
)
def test_who_qualifies(script: str, qualified: bool) -> None:
    assert play(script).qualified(0.0) is qualified


def test_stale_evidence_does_not_qualify() -> None:
    evidence = play("SSSSS", now=100.0)
    assert evidence.qualified(150.0)
    assert not evidence.qualified(401.0)


def test_censored_attempts_leave_reliability_alone() -> None:
    evidence = play("SSS")
    for _ in range(50):
        evidence.record_censored(0.5, 0.0)
    assert evidence.qualified(0.0)
    assert evidence.censored(0.0) == 50


def test_a_window_is_a_copy() -> None:
    evidence = play("SSSF")
    copy = evidence.window(0.0)
    evidence.record(0.1, 0.0)
    assert (copy.latency.count, copy.failures) == (3, 1)


def test_all_latencies_since_the_start_are_there_however_the_windows_turned() -> None:
    evidence = Evidence(span=10.0)
    for step in range(50):
        evidence.record(0.1, step * 7.0)
    parts = evidence.since_start()
    assert sum(part.count for part in parts) == evidence.successes_total == 50
    assert sum(part.total for part in parts) == pytest.approx(5.0)


def test_what_is_told_of_the_start_is_a_copy() -> None:
    evidence = play("SS")
    parts = evidence.since_start()
    evidence.record(0.1, 0.0)
    assert sum(part.count for part in parts) == 2
