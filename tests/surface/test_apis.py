"""The node's own JSON: health, readiness, chains, metrics with real numbers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import trio

from lasso_trio import __version__
from lasso_trio.config.profile import Profile
from lasso_trio.devnet import Failure, Faults, Kind
from tests.surface.conftest import Start, Surface, rpc

M = {
    "method",
    "avg_latency_ms",
    "p50_latency_ms",
    "p90_latency_ms",
    "p95_latency_ms",
    "p99_latency_ms",
    "success_rate",
    "total_calls",
    "last_updated",
}


def moment(text: str) -> datetime:
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


async def test_health_says_that_the_process_lives(surface: Surface) -> None:
    answer = await surface.get("/api/health")
    assert (answer.status, answer["content-type"]) == (200, "application/json; charset=utf-8")
    body = answer.json
    assert abs((datetime.now(UTC) - moment(body.pop("timestamp"))).total_seconds()) < 60
    assert body.pop("uptime_seconds") in range(60)
    assert body == {
        "status": "healthy",
        "version": __version__,
        "node_id": "local",
        "restarts": 0,
        "cluster": {
            "enabled": False,
            "nodes_connected": 1,
            "nodes_responding": 1,
            "nodes_total": 1,
            "regions": [],
            "status": "standalone",
        },
    }


async def test_health_stays_200_and_ready_does_not_when_the_node_drains(surface: Surface) -> None:
    from lasso_trio.telemetry.node import Readiness

    ready = await surface.get("/api/ready")
    assert (ready.status, ready.json) == (200, {"status": "ready", "reason": None})
    surface.app.node.readiness = Readiness.DRAINING
    ready = await surface.get("/api/ready")
    assert (ready.status, ready.json) == (503, {"status": "not_ready", "reason": "draining"})
    assert (await surface.get("/api/health")).status == 200


@pytest.mark.parametrize("path", ["/api/health", "/api/ready", "/api/chains", "/api/metrics/devnet", "/"])
async def test_head_is_get_without_the_body(surface: Surface, path: str) -> None:
    whole = await (await surface.connect()).request("GET", path)
    head = await (await surface.connect()).request("HEAD", path)
    assert (head.status, head.body) == (whole.status, b"")
    assert head["content-type"] == whole["content-type"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_another_method_is_not_found(surface: Surface, method: str) -> None:
    answer = await surface.request(method, "/api/health")
    assert (answer.status, answer.json) == (404, {"errors": {"detail": "Not Found"}})


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/", "/api/nope", "/api/metrics", "/api/metrics/", "/favicon.ico", "/api//health"],
)
async def test_an_unknown_path_is_not_found(surface: Surface, path: str) -> None:
    answer = await surface.get(path)
    assert (answer.status, answer.json) == (404, {"errors": {"detail": "Not Found"}})


@pytest.mark.parametrize("path", ["/api/health", "/nothing", "/rpc/devnet"])
async def test_a_connection_ends_with_its_answer_when_the_client_says_so(surface: Surface, path: str) -> None:
    client = await surface.connect()
    answer = await client.request("GET", path, fields={"connection": "close"})
    assert answer["connection"] == "close"
    with trio.fail_after(5):
        assert await client.is_over()


async def test_a_websocket_is_not_found_yet(surface: Surface) -> None:
    upgrade = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    answer = await surface.get("/ws/rpc/nope", upgrade)
    assert answer.status in (403, 404)


async def test_the_chains_of_listed_profiles(start: Start) -> None:
    hidden = Profile("hidden", "Hidden", (), unlisted=True)
    surface = await start(extra=[hidden])
    assert (await surface.get("/api/chains")).json == {
        "chains": [
            {
                "chain_id": "31337",
                "name": "Devnet",
                "chain_name": "devnet",
                "supported": True,
                "profiles": ["public", "team"],
            },
            {
                "chain_id": "421614",
                "name": "Arbitrum Sepolia",
                "chain_name": "arbitrum-sepolia",
                "supported": True,
                "profiles": ["team"],
            },
        ]
    }


@pytest.mark.parametrize("name", ["devnet", "dev", "31337"])
async def test_metrics_of_a_chain_have_the_documented_shape(surface: Surface, name: str) -> None:
    await surface.ask("eth_blockNumber", path="/rpc/devnet/alpha")
    metrics = (await surface.get(f"/api/metrics/{name}")).json
    assert (metrics["chain"], metrics["chain_id"], metrics["profile"]) == ("devnet", 31337, "public")
    moment(metrics["timestamp"])
    moment(metrics["last_updated"])
    assert set(metrics) == {
        "chain",
        "chain_id",
        "profile",
        "timestamp",
        "system_metrics",
        "chain_performance",
        "head",
        "hedges",
        "providers",
        "rpc_methods",
        "rpc_performance_by_provider",
        "rpc_performance_by_method",
        "last_updated",
    }
    assert set(metrics["system_metrics"]) == {"memory_mb", "cpu_percent", "process_count", "run_queue"}
    assert metrics["system_metrics"]["memory_mb"] > 10
    assert metrics["system_metrics"]["process_count"] > 1
    assert set(metrics["chain_performance"]) >= {
        "total_calls",
        "success_rate",
        "p50_latency",
        "p95_latency",
        "failovers_last_minute",
        "connected_providers",
        "total_providers",
        "recent_activity",
        "rpc_calls_per_second",
        "error_rate_percent",
    }
    documented = {"id", "name", "score", "success_rate", "total_calls", "avg_latency_ms", "calls_last_minute"}
    assert all(set(row) >= documented for row in metrics["providers"])
    (row,) = metrics["rpc_performance_by_provider"][0]["methods"]
    assert set(row) == M
    (row,) = metrics["rpc_performance_by_method"][0]["providers"]
    assert set(row) == M | {"provider_id", "provider_name"}


async def test_metrics_are_real_numbers(start: Start) -> None:
    sorry = Failure(Kind.RPC, methods=("eth_gasPrice",), code=-32603)
    surface = await start(alpha=Faults(failures=(sorry,)), beta=Faults())
    client = await surface.connect()
    for _ in range(12):
        await client.request("POST", "/rpc/priority/devnet", rpc("eth_blockNumber"))
    await client.request("POST", "/rpc/priority/devnet", rpc("eth_gasPrice"))
    metrics = (await surface.get("/api/metrics/devnet")).json
    chain = metrics["chain_performance"]
    assert (chain["total_calls"], chain["recent_activity"], chain["failovers_last_minute"]) == (13, 13, 1)
    assert (chain["success_rate"], chain["error_rate_percent"]) == (1.0, 0.0)
    assert (chain["connected_providers"], chain["total_providers"]) == (2, 2)
    assert 0 < chain["p50_latency"] <= chain["p95_latency"]
    alpha, beta = metrics["providers"]
    assert (alpha["id"], alpha["name"], alpha["total_calls"], alpha["failures"]) == ("alpha", "Alpha", 13, 1)
    assert (alpha["success_rate"], alpha["calls_last_minute"]) == (round(12 / 13, 4), 13)
    assert alpha["score"] > 0
    assert alpha["avg_latency_ms"] > 0
    assert (beta["total_calls"], beta["score"]) == (1, 0)
    assert set(metrics["rpc_methods"]) == {"eth_blockNumber", "eth_gasPrice"}
    (row,) = next(r for r in metrics["rpc_performance_by_method"] if r["method"] == "eth_blockNumber")["providers"]
    assert (row["provider_id"], row["total_calls"], row["success_rate"]) == ("alpha", 12, 1.0)
    assert 0 < row["p50_latency_ms"] <= row["p90_latency_ms"] <= row["p99_latency_ms"]


async def test_metrics_of_another_profile(surface: Surface) -> None:
    await surface.ask("eth_blockNumber", path="/rpc/profile/team/devnet")
    mine = (await surface.get("/api/metrics/devnet?profile=team")).json
    public = (await surface.get("/api/metrics/devnet?profile=default")).json
    assert (mine["profile"], mine["chain_performance"]["total_calls"]) == ("team", 1)
    assert (public["profile"], public["chain_performance"]["total_calls"]) == ("public", 0)
    other = await surface.get("/api/metrics/arbitrum-sepolia?profile=team")
    assert other.json["chain_id"] == 421_614


async def test_before_the_first_call_nothing_is_made_up(surface: Surface) -> None:
    metrics = (await surface.get("/api/metrics/devnet")).json
    chain = metrics["chain_performance"]
    assert (chain["total_calls"], chain["p50_latency"], chain["p95_latency"]) == (0, None, None)
    assert metrics["rpc_methods"] == []
    assert [row["avg_latency_ms"] for row in metrics["providers"]] == [None, None]


async def test_an_unknown_chain_has_no_metrics(surface: Surface) -> None:
    answer = await surface.get("/api/metrics/nope")
    assert answer.status == 404
    assert answer.json == {"error": "Chain not found", "chain": "nope", "available_chains": ["devnet"]}
    answer = await surface.get("/api/metrics/nope?profile=team")
    assert answer.json["available_chains"] == ["devnet", "arbitrum-sepolia"]


@pytest.mark.parametrize("slug", ["nope", ""])
async def test_an_unknown_profile_has_no_metrics(surface: Surface, slug: str) -> None:
    answer = await surface.get(f"/api/metrics/devnet?profile={slug}")
    assert (answer.status, answer.json) == (404, {"error": "Profile not found", "profile": slug})


async def test_the_root_says_what_is_here(surface: Surface) -> None:
    answer = await surface.get("/")
    assert (answer.status, answer.json["name"], answer.json["version"]) == (200, "lasso_trio", __version__)
