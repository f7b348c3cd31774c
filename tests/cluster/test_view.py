"""The cluster as JSON."""

from __future__ import annotations

import json

import pytest

from lasso_trio.cluster import view
from lasso_trio.cluster.address import Address
from lasso_trio.cluster.aggregate import Origin, Picture
from lasso_trio.cluster.lifecycle import Sign
from lasso_trio.cluster.membership import Coverage, Membership
from tests.cluster.shares import snapshot

A, B, C = (Address(f"127.0.0.{n}", 4000) for n in (1, 2, 3))


@pytest.fixture
def members() -> Membership:
    made = Membership("us-east-1", "u1")
    made.listed([A, B, C], 0.0)
    made.answered(made.peers[A], "us-east-1", "u1", snapshot(), 1.0)
    made.answered(made.peers[B], "eu-west-1", "u2", snapshot(calls=2), 1.0)
    for _ in range(3):
        made.failed(made.peers[C], "refused", Sign.GONE, 2.0)
    return made


def test_health_has_the_documented_shape_with_the_dead_counted(members: Membership) -> None:
    assert view.health(members) == {
        "enabled": True,
        "status": "degraded",
        "nodes_connected": 2,
        "nodes_responding": 2,
        "nodes_total": 3,
        "regions": ["eu", "us"],
        "problems": [],
    }
    assert view.health(Membership("local", "u"))["status"] == "healthy"
    assert view.STANDALONE.keys() <= view.health(members).keys()


@pytest.mark.parametrize(
    ("total", "responding", "status"),
    [(1, 1, "healthy"), (3, 3, "healthy"), (3, 2, "degraded"), (5, 2, "degraded"), (5, 1, "critical")],
)
def test_half_the_nodes_make_the_difference(total: int, responding: int, status: str) -> None:
    assert view.status(Coverage(total, responding, responding, total, (), ())) == status


@pytest.mark.parametrize(
    ("node_id", "region"),
    [
        ("us-east-1", "us"),
        ("iad-1", "iad"),
        ("iad", None),
        ("tokyo-1", None),
        ("u-1", None),
        ("é-1", "é"),
        (None, None),
    ],
)
def test_a_region_is_what_the_id_begins_with(node_id: str | None, region: str | None) -> None:
    assert view.region_of(node_id) == region


def test_the_overview_lists_everybody_and_figures_of_the_living_only(members: Membership) -> None:
    row = view.overview(members, snapshot(calls=5), "lasso", 10.0)
    assert row["coverage"]["text"] == "2 of 3"
    assert row["coverage"]["disconnected"] == ["127.0.0.3:4000"]
    own, lost, other = sorted(row["nodes"], key=lambda node: (not node["self"], node["id"] or ""))
    assert (own["name"], own["calls"], own["region"]) == ("lasso@127.0.0.1", 5, "us")
    assert (other["name"], other["calls"], other["answered_age_ms"]) == ("lasso@127.0.0.2", 2, 9000)
    assert (lost["state"], lost["reason"], lost["calls"], lost["answered_age_ms"]) == (
        "disconnected",
        "refused",
        None,
        None,
    )
    assert [(region["region"], region["nodes"], region["responding"]) for region in row["regions"]] == [
        (None, 1, 0),
        ("eu", 1, 1),
        ("us", 1, 1),
    ]
    assert row["dns"] == {"answered_age_ms": 10_000, "error": None}
    json.dumps(row)


def test_troubles_are_told_with_their_age_where_it_is_known(members: Membership) -> None:
    members.dns_failed("lasso.internal", "no answer in time", 4.0)
    members.answered(members.peers[B], "us-east-1", "u2", snapshot(), 5.0)
    row = view.overview(members, snapshot(), "lasso", 10.0)
    assert [(each["kind"], each["age_ms"]) for each in row["problems"]] == [("dns", 6000), ("duplicate_id", None)]
    assert row["dns"]["error"] == "no answer in time"


def test_a_node_that_does_not_know_its_address_yet_has_no_name() -> None:
    row = view.overview(Membership("local", "u"), snapshot(), "lasso", 1.0)
    assert (row["nodes"][0]["name"], row["nodes"][0]["addresses"], row["dns"]["answered_age_ms"]) == (None, [], None)


def test_the_picture_of_a_chain_sets_nodes_and_regions_side_by_side() -> None:
    drawn = Picture("public", "ethereum", "a")
    drawn.add(Origin("us-1", "us"), snapshot({"a": [0.1] * 9}, calls=9))
    drawn.add(Origin("eu-1", "eu"), snapshot({"a": [0.4] * 3}, calls=3))
    row = view.picture(drawn)
    (chain,) = row["chains"]
    provider = view.provider("a", drawn.chains["ethereum"].providers["a"])
    assert (row["nodes_counted"], chain["total_calls"], chain["success_rate"], provider["total_calls"]) == (
        2,
        12,
        1,
        12,
    )
    sides = {each["region"]: each["p50_latency_ms"] for each in provider["by_region"]}
    assert sides["us"] == pytest.approx(100, rel=0.05)
    assert sides["eu"] == pytest.approx(400, rel=0.05)
    assert [each["node"] for each in provider["by_node"]] == ["eu-1", "us-1"]
    assert provider["p50_latency_ms"] == pytest.approx(100, rel=0.05)
    assert provider["methods"][0]["total_calls"] == 12
    json.dumps([row, provider])


def test_what_cannot_be_known_without_calls_is_null() -> None:
    drawn = Picture("public")
    drawn.add(Origin("us-1", "us"), snapshot({"a": []}))
    (chain,) = view.picture(drawn)["chains"]
    assert (chain["total_calls"], chain["success_rate"], chain["p99_latency_ms"]) == (0, None, None)
