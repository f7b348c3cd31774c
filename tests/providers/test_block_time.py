from __future__ import annotations

import pytest

from lasso_trio.providers.block_time import ENOUGH, USUAL_S, BlockTime


def fed(*sightings: tuple[int, float], configured_s: float | None = None) -> BlockTime:
    time = BlockTime(configured_s)
    for height, at in sightings:
        time.observe("a", height, at)
    return time


def test_one_sighting_is_no_interval() -> None:
    assert fed((100, 0.0)).mean_s is None


def test_two_blocks_in_half_a_second_are_a_quarter_each() -> None:
    assert fed((100, 0.0), (102, 0.5)).mean_s == 0.25


def test_a_new_interval_counts_for_fifteen_in_a_hundred() -> None:
    assert fed((100, 0.0), (101, 2.0), (102, 2.25)).mean_s == pytest.approx(1.7375)


def test_until_there_are_five_intervals_the_configured_time_holds_else_the_usual_one() -> None:
    few = [(100 + n, 2.0 * n) for n in range(ENOUGH)]
    assert fed(*few).seconds == USUAL_S
    assert fed(*few, configured_s=3.0).seconds == 3.0
    assert fed(*few, (100 + ENOUGH, 2.0 * ENOUGH), configured_s=3.0).seconds == pytest.approx(2.0)


def test_it_is_known_when_it_is_configured_or_measured() -> None:
    few = [(100 + n, 2.0 * n) for n in range(ENOUGH)]
    assert not fed(*few).is_known
    assert fed(configured_s=3.0).is_known
    assert fed(*few, (100 + ENOUGH, 2.0 * ENOUGH)).is_known


@pytest.mark.parametrize("interval", [0.049, 60.1])
def test_an_interval_that_no_chain_has_moves_the_baseline_and_nothing_else(interval: float) -> None:
    time = fed((100, 0.0), (101, 2.0), (102, 2.0 + interval))
    assert (time.mean_s, time.intervals) == (2.0, 1)
    time.observe("a", 103, 2.0 + interval + 2.0)
    assert time.mean_s == pytest.approx(2.0)


@pytest.mark.parametrize("height", [101, 95])
def test_a_height_that_is_no_higher_only_moves_the_clock(height: int) -> None:
    time = fed((100, 0.0), (101, 2.0), (height, 10.0))
    assert time.mean_s == 2.0
    time.observe("a", 102, 12.0)
    assert time.mean_s == pytest.approx(2.0)


def test_two_sources_are_measured_each_against_itself() -> None:
    time = BlockTime()
    for n in range(4):
        time.observe("a", 100 + 6 * n, 12.0 * n)
        time.observe("b", 101 + 6 * n, 12.0 * n + 2.5)
    assert time.mean_s == pytest.approx(2.0)


def test_a_source_that_starts_anew_has_no_past() -> None:
    time = fed((100, 0.0))
    time.forget("a")
    time.observe("a", 101, 2.0)
    assert time.mean_s is None
