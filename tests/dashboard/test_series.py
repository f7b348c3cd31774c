from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.dashboard.series import EMPTY, STEPS, Point, Range, Series, columns, together

START = 1_800_000_000


@given(st.lists(st.tuples(st.integers(0, 280), st.integers(1, 9)), max_size=40))
def test_every_range_adds_up_to_what_was_put_in(given_: list[tuple[int, int]]) -> None:
    line = Series()
    for at, calls in sorted(given_):
        line.add(Point(calls=calls), START + at)
    for range_ in Range:
        seen = line.points(range_, START + 300 + STEPS[range_][0])
        lost = 0 if range_ is not Range.MINUTES else sum(calls for at, calls in given_ if at < 5)
        assert sum(p.calls for p in seen) == sum(calls for _, calls in given_) - lost


def test_a_line_is_as_long_as_its_range_and_no_longer() -> None:
    line = Series()
    for at in range(0, 100_000, 5):
        line.add(Point(calls=1), START + at)
    for range_, (step, count) in STEPS.items():
        points = line.points(range_, START + 100_000)
        assert len(points) == count
        assert {p.calls for p in points} == {step // 5}
        assert len(line._levels[range_]) == count + 1


def test_the_interval_that_is_running_is_not_shown_yet() -> None:
    line = Series()
    line.add(Point(calls=3), START)
    assert line.points(Range.MINUTES, START + 4)[-1] is EMPTY
    assert line.points(Range.MINUTES, START + 5)[-1].calls == 3


def test_a_clock_that_is_set_back_loses_nothing() -> None:
    line = Series()
    line.add(Point(calls=1), START + 60)
    line.add(Point(calls=1), START)
    assert line.points(Range.MINUTES, START + 65)[-1].calls == 2


def test_recent_is_the_last_so_many_seconds() -> None:
    line = Series()
    for at in range(0, 120, 5):
        line.add(Point(calls=1, errors=at >= 115), START + at)
    recent = line.recent(60, START + 119)
    assert (recent.calls, recent.errors) == (12, 1)


def test_two_lines_together_are_their_sum() -> None:
    one, other = [Point(calls=1, lag=-2, bins={1: 1})], [Point(calls=2, errors=1, bins={1: 2, 3: 1})]
    (sum_,) = together([one, other])
    assert (sum_.calls, sum_.errors, sum_.lag, sum_.bins) == (3, 1, -2, {1: 3, 3: 1})
    assert together([]) == []


def test_columns_say_what_a_browser_draws() -> None:
    points = [EMPTY, Point(calls=10, errors=1, seconds=0.09, bins={10: 8, 12: 1}, hedges=2, failovers=1)]
    row = columns(points, Range.MINUTES, START + 3)
    assert row["t"] == [START - 5, START]
    assert (row["calls"], row["calls_per_second"], row["errors"]) == ([0, 10], [0.0, 2.0], [0, 1])
    assert row["mean_ms"] == [None, 10.0]
    assert row["p50_ms"][0] is None
    assert len(row["heat"]["edges_ms"]) == 4
    assert row["heat"]["rows"] == [[0, 0, 0], [8, 0, 1]]
    assert (row["hedges"], row["failovers"]) == ([0, 2], [0, 1])


def test_an_empty_line_has_an_empty_heat_strip() -> None:
    assert columns([EMPTY], Range.DAY, START)["heat"] == {"edges_ms": [], "rows": []}
