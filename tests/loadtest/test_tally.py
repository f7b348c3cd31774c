from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.loadtest.outcome import OK
from lasso_trio.loadtest.tally import BARS, Tally


def test_a_failed_call_has_no_latency() -> None:
    tally = Tally()
    tally.add(OK, 0.1)
    tally.add("timeout", 10.0)
    assert (tally.calls, tally.failed, tally.failed_share) == (2, 1, 0.5)
    assert (tally.latency.count, tally.slowest_s) == (1, 0.1)


def test_a_run_without_a_call_has_failed_and_divides_by_nothing() -> None:
    shape = Tally().to_json()
    assert (shape["failed_share"], shape["calls_per_second"], shape["latency_ms"]) == (1.0, 0.0, None)


@given(st.lists(st.floats(1e-5, 200), min_size=1))
def test_the_bars_hold_every_call_once(latencies: list[float]) -> None:
    tally = Tally()
    for seconds in latencies:
        tally.add(OK, seconds)
    bars = tally.bars()
    assert sum(calls for _, _, calls in bars) == len(latencies)
    assert len(bars) <= BARS
    assert all(low <= high for low, high, _ in bars)


def test_the_shape_is_in_milliseconds() -> None:
    tally = Tally(seconds=2.0, cpu_s=1.0)
    for _ in range(100):
        tally.add(OK, 0.25)
    shape = tally.to_json()
    assert shape["latency_ms"]["p50"] == pytest.approx(250, rel=0.03)
    assert (shape["latency_ms"]["max"], shape["calls_per_second"], shape["own_cpu_share"]) == (250.0, 50.0, 0.5)
