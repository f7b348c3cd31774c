"""`/api/metrics/:chain` from counters that were set by hand, so that every number can be said beforehand."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.providers.catalogue import VERDICTS, Category
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.server.metrics_view import chain_metrics, timestamp, workers_metrics
from lasso_trio.telemetry.node import Node
from lasso_trio.telemetry.usage import Usage

KEY = "secret-key-4711"


def no_pool(_: object) -> Any:
    return object()


@pytest.fixture
def routed() -> RoutedChain:
    alpha = Provider("alpha", "Alpha", "1:alpha:0", SecretUrl(f"https://alpha.example/{KEY}"))
    beta = Provider("beta", "Beta", "1:beta:0", None, SecretUrl("wss://beta.example"))
    chain = Chain("ethereum", 1, "Ethereum", (alpha, beta))
    directory = Directory.of(ProfileSet.of([Profile("public", "Public", (chain,))]), Registry(no_pool))
    return directory.default.names["ethereum"]


async def metrics(routed: RoutedChain, now: float = 100.0) -> dict[str, Any]:
    return chain_metrics(routed, Node("n", 0.0), now)


def answered(routed: RoutedChain, n: int, seconds: float, method: str = "eth_call", now: float = 100.0) -> None:
    """Alpha answered `n` calls in `seconds` each."""
    alpha = routed.candidates[0]
    for _ in range(n):
        alpha.channel.succeeded(method, seconds, now)
        alpha.tally.attempts += 1
        alpha.tally.answered += 1
        alpha.tally.seconds += seconds
        alpha.tally.rates.add(now)


async def test_before_the_first_call_there_is_nothing_to_say(routed: RoutedChain) -> None:
    found = await metrics(routed)
    assert found["rpc_methods"] == found["rpc_performance_by_method"] == []
    assert [row["methods"] for row in found["rpc_performance_by_provider"]] == [[], []]
    chain = found["chain_performance"]
    assert (chain["total_calls"], chain["success_rate"], chain["error_rate_percent"]) == (0, 1.0, 0.0)
    assert (chain["p50_latency"], chain["p95_latency"], chain["rpc_calls_per_second"]) == (None, None, 0.0)
    alpha = found["providers"][0]
    assert (alpha["score"], alpha["success_rate"], alpha["avg_latency_ms"], alpha["calls_last_minute"]) == (
        0,
        1,
        None,
        0,
    )


async def test_the_chains_counts(routed: RoutedChain) -> None:
    counts = routed.counts
    counts.calls, counts.errors, counts.limited, counts.cancelled = 200, 3, 5, 2
    counts.call_rate.add(95.0, 50)
    counts.call_rate.add(20.0, 7)
    counts.failover_rate.add(99.0, 4)
    chain = (await metrics(routed))["chain_performance"]
    assert (chain["total_calls"], chain["success_rate"], chain["error_rate_percent"]) == (200, 0.985, 1.5)
    assert (chain["rate_limited_calls"], chain["cancelled_calls"]) == (5, 2)
    assert (chain["recent_activity"], chain["rpc_calls_per_second"], chain["failovers_last_minute"]) == (50, 5.0, 4)


async def test_latencies_are_milliseconds_of_what_was_measured(routed: RoutedChain) -> None:
    answered(routed, 90, 0.010)
    answered(routed, 10, 0.200)
    found = await metrics(routed)
    (row,) = found["rpc_performance_by_provider"][0]["methods"]
    assert (row["method"], row["total_calls"], row["success_rate"]) == ("eth_call", 100, 1.0)
    assert row["avg_latency_ms"] == 29.0
    for name, expected in {"p50": 10.0, "p90": 10.0, "p95": 200.0, "p99": 200.0}.items():
        assert row[f"{name}_latency_ms"] == pytest.approx(expected, rel=0.03)
    chain = found["chain_performance"]
    assert chain["p50_latency"] == pytest.approx(10.0, rel=0.03)
    assert chain["p95_latency"] == pytest.approx(200.0, rel=0.03)


async def test_failures_are_in_the_success_rate_to_four_decimals(routed: RoutedChain) -> None:
    answered(routed, 6, 0.010)
    routed.candidates[0].channel.row("eth_call").record_failure(100.0)
    (row,) = (await metrics(routed))["rpc_performance_by_provider"][0]["methods"]
    assert (row["total_calls"], row["success_rate"]) == (7, 0.8571)


async def test_providers_are_scored_from_ten_calls_on(routed: RoutedChain) -> None:
    answered(routed, 9, 0.250)
    assert (await metrics(routed))["providers"][0]["score"] == 0
    answered(routed, 91, 0.250)
    alpha = (await metrics(routed))["providers"][0]
    assert (alpha["score"], alpha["avg_latency_ms"], alpha["total_calls"]) == (1.6, 250.0, 100)
    routed.candidates[0].tally.attempts = 200
    alpha = (await metrics(routed))["providers"][0]
    assert (alpha["success_rate"], alpha["score"]) == (0.5, 0.92)


async def test_methods_are_listed_by_who_was_asked_for_them(routed: RoutedChain) -> None:
    answered(routed, 2, 0.010, "eth_getLogs")
    answered(routed, 1, 0.010, "eth_call")
    found = await metrics(routed)
    assert found["rpc_methods"] == ["eth_call", "eth_getLogs"]
    rows = found["rpc_performance_by_method"]
    assert [row["method"] for row in rows] == ["eth_call", "eth_getLogs"]
    assert [[p["provider_id"] for p in row["providers"]] for row in rows] == [["alpha"], ["alpha"]]
    assert rows[1]["providers"][0] | {"provider_name": "Alpha", "total_calls": 2} == rows[1]["providers"][0]


async def test_channels_show_breakers_and_cooldowns_and_no_keys(routed: RoutedChain) -> None:
    channel = routed.candidates[0].channel
    while channel.breaker.retry_after(100.0) == 0:
        channel.failed("eth_call", VERDICTS[Category.SERVER_ERROR], 0.1, 100.0)
    found = await metrics(routed)
    (http,) = found["providers"][0]["channels"]
    assert (http["transport"], http["live"], http["in_flight"]) == ("http", True, 0)
    assert http["circuit_breaker"]["state"] == "open"
    assert http["circuit_breaker"]["retry_after_ms"] > 0
    assert http["circuit_breaker"]["opened_total"] == 1
    (ws,) = found["providers"][1]["channels"]
    assert (ws["transport"], ws["live"], ws["circuit_breaker"]["state"]) == ("ws", False, "closed")
    assert (found["chain_performance"]["connected_providers"], found["chain_performance"]["total_providers"]) == (0, 2)
    assert KEY not in repr(found)


async def test_a_throttled_provider_shows_how_long(routed: RoutedChain) -> None:
    channel = routed.candidates[0].channel
    channel.failed("eth_call", VERDICTS[Category.RATE_LIMIT], 0.1, 100.0, 7.0)
    (http,) = (await metrics(routed))["providers"][0]["channels"]
    assert 0 < http["cooldown_ms"] <= 7_000


async def test_the_system_is_measured(routed: RoutedChain) -> None:
    system = chain_metrics(routed, Node("n", trio.current_time() - 1), trio.current_time())["system_metrics"]
    assert system["memory_mb"] > 10
    assert system["cpu_percent"] >= 0
    assert system["process_count"] >= 1
    assert system["run_queue"] >= 0


def test_a_timestamp_is_utc_with_microseconds() -> None:
    assert len(timestamp()) == len("2026-08-22T10:00:00.000000Z")
    assert timestamp().endswith("Z")


def test_of_several_workers_the_processes_are_added_and_each_has_a_line() -> None:
    row = workers_metrics({0: Usage(1, memory_mb=10, cpu_percent=5, tasks=2, calls=3), 1: Usage(2, memory_mb=20)})
    assert (row["memory_mb"], row["cpu_percent"], row["process_count"], row["run_queue"]) == (30, 5, 2, 0)
    assert [(each["worker"], each["pid"], each["calls"]) for each in row["workers"]] == [(0, 1, 3), (1, 2, 0)]
