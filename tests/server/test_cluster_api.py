"""The cluster over HTTP."""

from __future__ import annotations

import msgspec
import pytest
import trio
from quart_trio import QuartTrio

from lasso_trio.cluster.address import Address
from lasso_trio.cluster.aggregate import Picture
from lasso_trio.cluster.cluster import MOST_PICTURES, Cluster, wall_clock
from lasso_trio.cluster.lines import PATH
from lasso_trio.cluster.seal import Seal
from lasso_trio.cluster.snapshot import Snapshot
from lasso_trio.cluster.talk import MOST_ASK_BYTES, Identity, check_answer, question
from lasso_trio.config.secret import Secret
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.web import make_app
from lasso_trio.telemetry.node import Node
from tests.cluster.shares import snapshot
from tests.cluster.test_share import directory

SEAL, OTHER = Seal(Secret("s" * 64)), Identity("lasso", "eu-west-1", "u2")
NONCE = b"n" * 16


def app_of(cluster: Cluster | None) -> QuartTrio:
    made = directory()
    return make_app(Node("us-east-1", 0.0), lambda: made, None, LaneLimits(), ByteBudget(), cluster=cluster)


def length(frame: bytes) -> dict[str, str]:
    """As clients send it; the test's does not."""
    return {"content-length": str(len(frame))}


@pytest.fixture
async def cluster() -> Cluster:
    async def none() -> set[Address]:
        return set()

    async def own(sequence: int) -> Snapshot:
        return snapshot({"p0": [0.1] * 12}, calls=12, sequence=sequence)

    made = Cluster(Identity("lasso", "us-east-1", "u1"), "lasso.internal", SEAL, none, NoLines(), own)
    there = Address("127.0.0.2", 4000)
    made.membership.listed([there], trio.current_time())
    made.membership.answered(
        made.membership.peers[there], "eu-west-1", "u2", snapshot({"p0": [0.4] * 3}, calls=3), trio.current_time()
    )
    return made


class NoLines:
    async def ask(self, address: Address, frame: bytes, until: float) -> bytes:
        raise AssertionError("nobody is asked here")

    async def drop(self, address: Address) -> None:
        raise AssertionError("nobody is dropped here")

    def expire(self) -> None: ...

    def close(self) -> None: ...


async def test_a_lone_node_says_so_and_has_nothing_for_others() -> None:
    client = app_of(None).test_client()
    assert await (await client.get("/api/cluster")).get_json() == {"enabled": False, "status": "standalone"}
    assert (await client.post(PATH, data=b"x")).status_code == 404
    health = await (await client.get("/api/health")).get_json()
    assert health["cluster"]["status"] == "standalone"


async def test_a_signed_question_is_answered_and_a_second_time_not(cluster: Cluster) -> None:
    client, frame = app_of(cluster).test_client(), question(SEAL, OTHER, NONCE, wall_clock())
    answer = await client.post(PATH, data=frame, headers=length(frame))
    assert answer.status_code == 200
    teller, told = check_answer(SEAL, OTHER, NONCE, await answer.get_data(as_text=False))
    assert (teller.node_id, told.chains[0].calls) == ("us-east-1", 12)
    again = await client.post(PATH, data=frame, headers=length(frame))
    assert (again.status_code, await again.get_json()) == (401, {"error": "replay"})


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (b"", "version"),
        (b"x" * (MOST_ASK_BYTES + 1), "version"),
        (b"noise", "secret"),
        (question(Seal(Secret("t" * 64)), OTHER, NONCE, 0.0), "secret"),
        (question(SEAL, OTHER, NONCE, 0.0), "clock"),
    ],
)
async def test_anybody_else_is_told_one_word(cluster: Cluster, frame: bytes, kind: str) -> None:
    answer = await app_of(cluster).test_client().post(PATH, data=frame, headers=length(frame))
    assert (answer.status_code, await answer.get_json()) == (401, {"error": kind})


async def test_health_speaks_of_the_cluster(cluster: Cluster) -> None:
    health = await (await app_of(cluster).test_client().get("/api/health")).get_json()
    assert health["cluster"] == {
        "enabled": True,
        "status": "healthy",
        "nodes_connected": 2,
        "nodes_responding": 2,
        "nodes_total": 2,
        "regions": ["eu", "us"],
        "problems": [],
    }


async def test_the_picture_is_as_wide_as_it_is_asked_for(cluster: Cluster) -> None:
    client = app_of(cluster).test_client()
    whole = await (await client.get("/api/cluster")).get_json()
    assert (whole["coverage"]["text"], whole["chains"][0]["total_calls"]) == ("2 of 2", 15)
    assert "providers" not in whole["chains"][0]
    assert [node["id"] for node in whole["nodes"]] == ["us-east-1", "eu-west-1"]
    chain = await (await client.get("/api/cluster?chain=1&provider=p0&profile=public")).get_json()
    (provider,) = chain["chains"][0]["providers"]
    assert [row["node"] for row in provider["by_node"]] == ["eu-west-1", "us-east-1"]
    assert provider["methods"][0]["total_calls"] == 15
    region = await (await client.get("/api/cluster?region=eu")).get_json()
    assert (region["nodes_counted"], region["chains"][0]["total_calls"]) == (1, 3)


async def test_methods_that_a_node_told_in_vain_are_its_mistake(cluster: Cluster) -> None:
    (told,) = cluster.membership.snapshots.values()
    (chain,) = told.chains
    broken = msgspec.structs.replace(chain.providers[0], methods=b"noise")
    chain = msgspec.structs.replace(chain, providers=(broken,))
    cluster.membership.snapshots[Address("127.0.0.2", 4000)] = msgspec.structs.replace(told, chains=(chain,))
    client = app_of(cluster).test_client()
    assert (await client.get("/api/cluster?chain=ethereum")).status_code == 200
    assert (await client.get("/api/cluster?chain=ethereum&provider=p0")).status_code == 502


@pytest.mark.parametrize(("query", "what"), [("profile=nope", "Profile not found"), ("chain=nope", "Chain not found")])
async def test_what_is_not_there_is_not_found(cluster: Cluster, query: str, what: str) -> None:
    answer = await app_of(cluster).test_client().get(f"/api/cluster?{query}")
    assert (answer.status_code, (await answer.get_json())["error"]) == (404, what)


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("node=nobody-1", "node"),
        ("region=mars", "region"),
        ("chain=ethereum&provider=nobody", "provider"),
    ],
)
async def test_names_that_are_nobodys_are_drawn_for_nobody(cluster: Cluster, query: str, what: str) -> None:
    answer = await app_of(cluster).test_client().get(f"/api/cluster?{query}")
    assert (answer.status_code, (await answer.get_json())["error"]) == (404, f"{what.capitalize()} not found")
    assert not cluster._pictures


async def test_pictures_that_are_kept_are_few(cluster: Cluster) -> None:
    for n in range(2 * MOST_PICTURES):
        await cluster.picture(Picture("public", None, f"p{n}"))
    assert len(cluster._pictures) == MOST_PICTURES


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
async def test_a_question_that_a_proxy_passed_on_is_no_nodes(cluster: Cluster, header: str) -> None:
    frame = question(SEAL, OTHER, NONCE, wall_clock())
    answer = await app_of(cluster).test_client().post(PATH, data=frame, headers=length(frame) | {header: "192.0.2.1"})
    assert answer.status_code == 404
    assert not cluster.membership.strangers


async def test_a_provider_is_asked_for_with_its_chain(cluster: Cluster) -> None:
    answer = await app_of(cluster).test_client().get("/api/cluster?provider=p0")
    assert (answer.status_code, (await answer.get_json())["error"]) == (
        404, "A provider is one of a chain: chain= is needed"
    )  # fmt: skip
