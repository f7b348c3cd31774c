"""Figures of a closed profile, for those who may call it and for those who may not."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from quart_trio import QuartTrio

from lasso_trio.access.gates import Gates
from lasso_trio.config.access import OPEN, AccessPolicy, Names
from lasso_trio.routing.directory import Directory
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.onlookers import CLUSTER, FIGURES, Onlookers
from lasso_trio.server.web import make_app
from lasso_trio.telemetry.node import Node
from tests.dashboard.clusters import cluster_of, figures
from tests.server.closed_world import KEY, POLICY, READER, TimeOfDay, closed


def app_of(policy: AccessPolicy = POLICY, rate: int = 1000) -> QuartTrio:
    directory = closed(policy, rate=rate)
    onlookers = Onlookers(lambda: directory, Gates(TimeOfDay()), (ip_network("127.0.0.0/8"),))
    return make_app(Node("n", 0.0), lambda: directory, None, LaneLimits(), ByteBudget(), None, [onlookers.serve])


@pytest.mark.parametrize(
    "path", ["/api/metrics/eth", "/api/metrics/nowhere?profile=public", "/api/cluster?profile=public&chain=eth"]
)
async def test_strangers_are_told_no_figures_of_a_closed_profile(path: str) -> None:
    app = app_of()
    answer = await app.test_client().get(path)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="lasso"')
    assert (await answer.get_json())["data"] == {"reason": "missing"}
    assert (await app.test_client().head(path)).status_code == 401
    assert (await app.test_client().get(path, headers={"x-lasso-api-key": KEY})).status_code in (200, 404)


async def test_of_the_cluster_strangers_are_told_nodes_and_clients_figures_too() -> None:
    client = cluster_app_of(closed(POLICY)).test_client()
    told = await (await client.get("/api/cluster")).get_json()
    assert told["nodes"]
    assert "chains" not in told
    told = await (await client.get("/api/cluster", headers={"x-lasso-api-key": KEY})).get_json()
    assert told["chains"]
    for query in ("node=us-1", "region=us", "profile=public"):
        assert (await client.get(f"/api/cluster?{query}")).status_code == 401


def cluster_app_of(directory: Directory) -> QuartTrio:
    onlookers = Onlookers(lambda: directory, Gates(TimeOfDay()), ())
    node, limits = Node("us-1", 0.0), LaneLimits()
    own = figures([0.1] * 5, 5)
    return make_app(
        node, lambda: directory, None, limits, ByteBudget(), None, [onlookers.serve], cluster=cluster_of(own)
    )


async def test_a_key_for_some_chains_is_not_told_of_the_others() -> None:
    client = app_of().test_client()
    fields = {"authorization": f"Bearer {READER}"}
    assert [(await client.get(f"/api/metrics/{chain}", headers=fields)).status_code for chain in ("eth", "base")] == [
        200,
        403,
    ]


async def test_guesses_count_against_the_limit_of_their_address() -> None:
    client = app_of(rate=2).test_client()
    assert [(await client.get("/api/metrics/eth")).status_code for _ in range(3)] == [401, 401, 429]


@pytest.mark.parametrize("path", ["/", "/api/health", "/api/chains", "/api/cluster"])
async def test_what_is_about_the_node_is_for_everybody(path: str) -> None:
    assert (await app_of().test_client().get(path)).status_code == 200


@pytest.mark.parametrize("policy", [OPEN, AccessPolicy(methods=Names(("eth_*",)))])
async def test_a_profile_that_anybody_may_call_is_for_everybody_to_look_at(policy: AccessPolicy) -> None:
    assert (await app_of(policy).test_client().get("/api/metrics/eth")).status_code == 200


@pytest.mark.parametrize(("address", "status"), [("10.1.2.3", 200), ("11.0.0.1", 403)])
async def test_a_network_is_that_of_the_client_behind_trusted_proxies(address: str, status: int) -> None:
    client = app_of(AccessPolicy(networks=(ip_network("10.0.0.0/8"),))).test_client()
    at = {"client": ("127.0.0.1", 5)}
    answer = await client.get("/api/metrics/eth", headers={"x-forwarded-for": address}, scope_base=at)
    assert answer.status_code == status
    assert (await client.get("/api/metrics/eth?profile=nope", scope_base=at)).status_code == 404


def test_the_paths_are_those_of_the_application() -> None:
    assert {FIGURES, CLUSTER} <= {rule.rule for rule in app_of().url_map.iter_rules()}
