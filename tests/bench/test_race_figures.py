"""Quantiles, shares and marks are of the calls that were made, and nothing is judged on too few of them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from race_figures import ENOUGH_FOR_P999, Block, Cost, Hedges, Race, at, figure, ms_mark, pooled, tail
from race_variants import ALONE, HEDGED, SLOWED


def block(latencies: Sequence[float], extra: int = 0) -> Block:
    return Block(len(latencies), len(latencies) + extra, len(latencies) * 50e-6, tuple(sorted(latencies)))


def test_blocks_of_a_variant_are_taken_together() -> None:
    found = figure([block([0.010] * 99 + [2.0]), block([0.020] * 100, extra=4)])
    assert found.calls == 200
    assert (found.p50_ms, found.p95_ms, found.max_ms) == pytest.approx((20.0, 20.0, 2000.0))
    assert found.extra == pytest.approx(0.02)
    assert found.cpu_us == pytest.approx(50.0)


def test_calls_without_an_answer_and_with_an_error_are_counted() -> None:
    found = figure([attrs.evolve(block([0.01]), late=1), attrs.evolve(block([0.01]), failed=2)])
    assert (found.unanswered, found.failed) == (1, 2)


@given(st.lists(st.floats(0, 10), min_size=1), st.floats(0, 0.999))
def test_a_quantile_is_a_measured_value_that_so_many_do_not_exceed(values: list[float], quantile: float) -> None:
    values.sort()
    found = at(values, quantile)
    assert found in values
    assert sum(value <= found for value in values) >= quantile * len(values)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=500))
def test_the_tail_tells_for_each_value_how_many_took_longer(values: list[float]) -> None:
    values.sort()
    points = tail(values, points=20)
    assert len(points) <= 20
    for value, share in points:
        assert sum(other > value for other in values) <= round(share * len(values)) < len(values)
    assert points == sorted(points, key=lambda point: (point[0], -point[1]))


def test_the_tail_of_many_calls_reaches_the_slowest_but_one() -> None:
    points = tail([n / 1000 for n in range(10_000)])
    assert points[-1] == (9.998, 1 / 10_000)


def test_counts_between_two_readings_are_their_difference() -> None:
    before, after = Hedges(5, 3, 2, {"budget": 4}), Hedges(9, 5, 4, {"budget": 4, "cooldown": 1})
    assert after.since(before) == Hedges(4, 2, 2, {"cooldown": 1})


def test_hedges_of_blocks_add_up_and_are_absent_where_nobody_told() -> None:
    told = attrs.evolve(block([0.01]), hedges=Hedges(2, 1, 1, {"budget": 1}))
    assert figure([told, told]).hedges == Hedges(4, 2, 2, {"budget": 2})
    assert figure([block([0.01])]).hedges is None


def test_marks_are_met_or_missed_by_the_figures() -> None:
    calls = ENOUGH_FOR_P999
    race = Race("here", {ALONE.name: [block([0.02] * calls)], HEDGED.name: [block([0.04] * calls, calls // 20)]})
    assert [mark.met for mark in race.marks()] == [True, True, True]
    race.blocks[HEDGED.name] = [block([0.16] * calls, calls // 10)]
    assert [mark.met for mark in race.marks()] == [False, False, False]


def test_the_slowed_providers_extra_calls_have_a_mark_of_their_own() -> None:
    race = Race("here", {SLOWED.name: [block([0.1] * 10_000, 601)]})
    assert [(mark.measured, mark.met) for mark in race.marks()] == [("6.01%", False)]


def test_a_mark_with_too_few_calls_is_not_judged() -> None:
    assert ms_mark("p99.9", 100.0, 150.0, calls=19_999, enough=ENOUGH_FOR_P999).met is None


def test_the_cost_of_hedging_is_the_median_of_the_pairs() -> None:
    race = Race("here", cost=Cost(on_us=(61.0, 50.0, 90.0), off_us=(60.0, 50.0, 60.0), extra=0.0))
    assert race.cost is not None
    assert race.cost.ratio == pytest.approx(61 / 60)
    assert race.cost.spread == pytest.approx((1.0, 1.5))
    assert [mark.met for mark in race.marks()] == [True]


def test_values_of_all_blocks_are_sorted_together() -> None:
    assert pooled([block([0.3, 0.1]), block([0.2])]) == [0.1, 0.2, 0.3]
