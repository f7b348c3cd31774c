"""The directory as operators are shown it."""

from __future__ import annotations

import pytest

from lasso_trio.config.profile import Transport
from lasso_trio.routing.directory import Directory
from lasso_trio.server.metrics_view import chain_metrics
from lasso_trio.telemetry.node import Node
from lasso_trio.telemetry.usage import Usage
from lasso_trio.workers.figure_sums import of_candidate, of_chain, of_row
from lasso_trio.workers.figures import Figures
from lasso_trio.workers.heard_figures import HeardFigures
from lasso_trio.workers.whole_directory import WINDOW_S, WholeDirectory
from tests.dashboard.boards import directory_of

NOW = 1000.0


def used(directory: Directory, method: str, times: int) -> Directory:
    (routed,) = directory.chains()
    candidate = routed.candidates[0]
    routed.counts.calls += times
    candidate.tally.attempts += times
    candidate.tally.answered += times
    for _ in range(times):
        candidate.channel.succeeded(method, 0.01, NOW)
    return directory


def told(directory: Directory) -> Figures:
    (routed,) = directory.chains()
    channel = routed.candidates[0].channel
    usage = Usage(2, in_flight={f"{channel.instance_id} http": 3})
    rows = [of_row(channel, method, evidence, NOW) for method, evidence in channel.evidence.items()]
    return Figures("x", usage, [of_chain(routed, NOW)], [of_candidate(routed, c, NOW) for c in routed.candidates], rows)


async def test_all_that_is_counted_is_the_sum_and_nothing_that_serves_is_touched() -> None:
    mine = used(used(directory_of(), "eth_call", 2), "eth_mine", 1)
    heard = HeardFigures()
    heard.take(1, told(used(used(directory_of(), "eth_call", 5), "eth_theirs", 4)), NOW)
    whole = WholeDirectory(heard).of(mine, NOW)
    (routed,), (serving,) = whole.chains(), mine.chains()
    assert (routed.counts.calls, serving.counts.calls) == (12, 3)
    assert (routed.candidates[0].tally.attempts, serving.candidates[0].tally.attempts) == (12, 3)
    evidence = routed.candidates[0].channel.evidence
    assert list(evidence) == ["eth_call", "eth_mine", "eth_theirs"]
    assert len(evidence) == 3
    assert {method: row.successes_total for method, row in evidence.items()} == {
        "eth_call": 7,
        "eth_mine": 1,
        "eth_theirs": 4,
    }
    assert evidence["eth_call"].failures_total == evidence["eth_theirs"].failures_total == 0
    assert evidence["eth_call"].window(NOW).latency.count == 7
    assert evidence["eth_call"].window(NOW + WINDOW_S).latency.count == 0
    with pytest.raises(KeyError):
        evidence["eth_nobodys"]
    assert list(serving.candidates[0].channel.evidence) == ["eth_call", "eth_mine"]


async def test_a_channel_is_one_for_its_candidates_and_its_instance_and_knows_all_calls_in_flight() -> None:
    mine, heard = directory_of(), HeardFigures()
    heard.take(1, told(mine), NOW)
    mine.default.chains[0].candidates[0].channel.in_flight = 1
    whole = WholeDirectory(heard).of(mine, NOW)
    candidate = whole.default.chains[0].candidates[0]
    assert candidate.channel is whole.registry.instances[candidate.channel.instance_id].channels[Transport.HTTP]
    assert candidate.channel.in_flight == 4
    assert mine.default.chains[0].candidates[0].channel.in_flight == 1
    assert whole.default.names["eth"] is whole.default.chains[0]
    assert whole.generation == mine.generation


async def test_the_views_of_a_chain_take_it_as_it_is() -> None:
    mine, heard = used(directory_of(), "eth_call", 2), HeardFigures()
    heard.take(1, told(used(directory_of(), "eth_call", 5)), NOW)
    whole = WholeDirectory(heard).of(mine, NOW)
    page = chain_metrics(whole.default.chains[0], Node("n", 0.0), NOW)
    assert page["chain_performance"]["total_calls"] == 7
    assert page["providers"][0]["total_calls"] == 7
    assert page["rpc_performance_by_method"][0]["providers"][0]["total_calls"] == 7
