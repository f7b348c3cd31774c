from __future__ import annotations

from collections.abc import Callable
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.config.profile import Transport
from lasso_trio.metrics import latencies
from lasso_trio.metrics.latencies import BOUNDS, MOST_METHODS, OTHER, distribution
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.latency import Evidence
from lasso_trio.routing.directory import Directory
from lasso_trio.telemetry.prometheus import Distribution, Table
from tests.metrics.scene import ALPHA


def channel_of(directory: Directory) -> Channel:
    return directory.registry.instances[ALPHA].channels[Transport.HTTP]


def told(channel: Channel) -> dict[str, Distribution]:
    table = Table()
    latencies.read_channel(channel, table)
    rows = table.rows[latencies.LATENCY]
    return {labels[2]: cast("Callable[[], Distribution]", value)() for labels, value in rows}


def test_times_fall_into_their_buckets(directory: Directory) -> None:
    channel = channel_of(directory)
    for seconds in (0.0001, 0.03, 0.04, 0.7, 100.0):
        channel.succeeded("eth_call", seconds, 10.0)
    found = told(channel)["eth_call"]
    assert dict(zip((*BOUNDS, "+Inf"), found.counts, strict=True)) == {
        **dict.fromkeys((*BOUNDS, "+Inf"), 0),
        0.001: 1,
        0.05: 2,
        1.0: 1,
        "+Inf": 1,
    }
    assert found.total == 100.7701


times = st.lists(st.tuples(st.floats(0.0, 120.0), st.floats(0.0, 400.0)), min_size=1, max_size=60)


@given(times)
def test_no_count_and_no_sum_ever_falls_however_the_windows_turn(steps: list[tuple[float, float]]) -> None:
    evidence, now = Evidence(), 0.0
    before = distribution(evidence.since_start())
    for seconds, pause in steps:
        now += pause
        evidence.count(now)  # windows turn when they are looked at, too
        turned = distribution(evidence.since_start())
        evidence.record(seconds, now)
        after = distribution(evidence.since_start())
        assert list(turned.counts) == list(before.counts)
        assert turned.total >= before.total - 1e-6
        assert sum(after.counts) == sum(before.counts) + 1
        before = after
    assert sum(before.counts) == evidence.successes_total == len(steps)


def test_methods_beyond_the_budget_share_a_line_and_nobody_changes_places(directory: Directory) -> None:
    channel = channel_of(directory)
    for number in range(MOST_METHODS + 10):
        channel.succeeded(f"method_{number}", 0.01, 10.0)
    first = told(channel)
    assert len(first) == MOST_METHODS + 1
    assert sum(first[OTHER].counts) == 10
    for _ in range(100):
        channel.succeeded(f"method_{MOST_METHODS + 5}", 0.01, 10.0)
    second = told(channel)
    assert second.keys() == first.keys()
    assert sum(second[OTHER].counts) == 110


def test_the_row_that_the_channel_itself_shares_is_other_too(directory: Directory) -> None:
    channel = channel_of(directory)
    channel.succeeded(OTHER, 0.01, 10.0)
    for number in range(MOST_METHODS):
        channel.succeeded(f"method_{number}", 0.01, 10.0)
    table = Table()
    latencies.read_channel(channel, table)
    assert [labels[2] for labels, _ in table.rows[latencies.LATENCY]].count(OTHER) == 1
    assert sum(told(channel)[OTHER].counts) == 2


def test_what_is_read_is_a_copy(directory: Directory) -> None:
    channel, table = channel_of(directory), Table()
    channel.succeeded("eth_call", 0.01, 10.0)
    latencies.read_channel(channel, table)
    channel.succeeded("eth_call", 0.01, 10.0)
    (_, value), *_ = table.rows[latencies.LATENCY]
    assert callable(value)
    assert sum(value().counts) == 1
