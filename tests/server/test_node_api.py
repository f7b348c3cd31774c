"""The shapes of health, readiness and chains."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lasso_trio import __version__
from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.server import node_api
from lasso_trio.telemetry.node import Node, Readiness

PROVIDER = Provider("alpha", "Alpha", "1:alpha:0", SecretUrl("http://alpha.invalid"))
ETH = Chain("ethereum", 1, "Ethereum Mainnet", (PROVIDER,))
BASE = Chain("base", 8453, "Base", (PROVIDER,))


def directory(*profiles: Profile) -> Directory:
    def no_pool(_: object) -> Any:
        return None

    return Directory.of(ProfileSet.of(profiles), Registry(no_pool))


def test_health_counts_whole_seconds_of_life() -> None:
    answer = node_api.health(Node("us-east-1", 100.0), 142.9)
    stamp = datetime.fromisoformat(answer.pop("timestamp"))
    assert abs((datetime.now(UTC) - stamp).total_seconds()) < 60
    cluster = answer.pop("cluster")
    assert answer == {
        "status": "healthy",
        "uptime_seconds": 42,
        "version": __version__,
        "node_id": "us-east-1",
        "restarts": 0,
    }
    assert cluster == {
        "enabled": False,
        "status": "standalone",
        "nodes_connected": 1,
        "nodes_responding": 1,
        "nodes_total": 1,
        "regions": [],
    }


def test_health_tells_of_shared_state_where_there_is_any() -> None:
    node = Node("us-east-1", 0.0, shared=lambda now: {"engine": f"at {now}"})
    assert node_api.health(node, 5.0)["shared"] == {"engine": "at 5.0"}


@pytest.mark.parametrize(
    ("readiness", "status", "body"),
    [
        (Readiness.STARTING, 503, {"status": "not_ready", "reason": "starting"}),
        (Readiness.READY, 200, {"status": "ready", "reason": None}),
        (Readiness.DRAINING, 503, {"status": "not_ready", "reason": "draining"}),
    ],
)
def test_only_a_ready_node_wants_traffic(readiness: Readiness, status: int, body: dict[str, object]) -> None:
    assert node_api.ready(Node("n", 0.0, readiness)) == (status, body)


def test_each_chain_is_listed_once_with_its_id_as_text_the_default_profiles_first() -> None:
    team = Profile("team", "Team", (BASE, ETH))
    public = Profile("public", "Public", (ETH,))
    assert node_api.chains(directory(team, public)) == {
        "chains": [
            {
                "chain_id": "1",
                "name": "Ethereum Mainnet",
                "chain_name": "ethereum",
                "supported": True,
                "profiles": ["public", "team"],
            },
            {"chain_id": "8453", "name": "Base", "chain_name": "base", "supported": True, "profiles": ["team"]},
        ]
    }


def test_chains_of_unlisted_profiles_are_not_listed() -> None:
    hidden = Profile("hidden", "Hidden", (BASE,), unlisted=True)
    rows = node_api.chains(directory(Profile("public", "Public", (ETH,)), hidden))["chains"]
    assert [row["chain_id"] for row in rows] == ["1"]
