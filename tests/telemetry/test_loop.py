"""The loop's lag is measured, forgotten after a while, and memory settles."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from lasso_trio.telemetry.loop import GENERATIONS, SPAN_S, LoopLag, sample, settle_memory


async def test_an_idle_loop_has_no_lag(autojump_clock: MockClock) -> None:
    lag = LoopLag()
    with trio.move_on_after(1.05):
        await sample(lag)
    assert lag.samples == 10
    assert lag.max < 1e-9


async def test_time_lost_between_two_samples_is_lag(mock_clock: MockClock, nursery: trio.Nursery) -> None:
    lag = LoopLag()
    nursery.start_soon(sample, lag)
    await wait_all_tasks_blocked()
    mock_clock.jump(0.35)
    await wait_all_tasks_blocked()
    assert lag.last == pytest.approx(0.25)
    mock_clock.jump(0.1)
    await wait_all_tasks_blocked()
    assert lag.last == pytest.approx(0.0)
    assert (lag.max, lag.worst) == (pytest.approx(0.25), pytest.approx(0.25))
    assert lag.p99 == pytest.approx(0.25, rel=0.03)


def test_an_old_hiccup_is_forgotten_except_as_the_worst() -> None:
    lag = LoopLag()
    lag.record(2.0, 0.0)
    for second in range(1, 200):
        lag.record(0.001, float(second))
    assert lag.max == 0.001
    assert lag.p99 == pytest.approx(0.001, rel=0.03)
    assert lag.worst == 2.0


def test_a_hiccup_is_remembered_for_at_least_a_span() -> None:
    lag = LoopLag()
    lag.record(0.0, 0.0)
    lag.record(2.0, SPAN_S - 1)
    lag.record(0.0, 2 * SPAN_S - 2)
    assert lag.max == 2.0


def test_before_the_first_sample_all_is_zero() -> None:
    assert (LoopLag().max, LoopLag().p99, LoopLag().samples) == (0.0, 0.0, 0)


@pytest.fixture
def _collector_restored() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.usefixtures("_collector_restored")
def test_settled_memory_is_left_out_of_later_collections() -> None:
    assert settle_memory() > 1000
    assert gc.get_threshold() == GENERATIONS
    assert gc.isenabled()
