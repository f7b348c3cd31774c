from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any

import attrs
import httpx
import pytest
import trio

from lasso_trio.check import stages
from lasso_trio.check.bench import Bench, Missing
from lasso_trio.check.facts import Facts, NodeSeen
from lasso_trio.check.order import Order
from lasso_trio.check.row import Need
from lasso_trio.check.stages import STAGES
from lasso_trio.cluster.address import Address
from lasso_trio.cluster.discovery import DnsFault
from lasso_trio.probe.finding import WebSocket
from lasso_trio.probe.target import Target
from tests.check.conftest import METRICS, PROFILE, World, json_page, setup_of
from tests.check.fake_node import FakeNode, reply, result

CHAINS = json_page({"chains": [{"chain_name": "eth", "profiles": ["public"]}]})
SMALL = PROFILE.replace(b"slug: public", b"slug: public\nrps_limit: 20\nburst_limit: 100")


@pytest.fixture
def fake() -> FakeNode:
    return FakeNode({"/metrics": httpx.Response(200, text=METRICS)})


@pytest.fixture
async def bench(world: World, fake: FakeNode) -> AsyncIterator[Bench]:
    node = NodeSeen((json_page({}),), json_page({}), CHAINS)
    async with fake.caller() as caller:
        facts = Facts(setup_of(world.folder, text=SMALL), "http://n:4000", node=node)
        yield Bench(Order(url="http://n:4000", load_calls=30), facts, caller)


def ordered(bench: Bench, **order: Any) -> Bench:
    return attrs.evolve(bench, order=attrs.evolve(bench.order, **order))


def in_environment(bench: Bench, world: World, **environ: str) -> Bench:
    bench.facts = attrs.evolve(bench.facts, setup=setup_of(world.folder, environ, SMALL))
    return bench


def test_there_is_a_stage_for_every_need_in_its_order() -> None:
    assert [stage.need for stage in STAGES] == list(Need)


async def test_health_is_asked_several_times(bench: Bench, fake: FakeNode) -> None:
    seen = await stages.node(bench)
    assert len(seen.health) == 3
    assert fake.paths == ["/api/health"] * 3 + ["/api/ready", "/api/chains"]


async def test_doors_are_tried_as_a_stranger_and_the_main_port_too(bench: Bench, fake: FakeNode) -> None:
    fake.pages["/dashboard"] = httpx.Response(303, headers={"location": "/dashboard/login?next=x"})
    seen = await stages.doors(bench)
    assert (seen.login is not None, seen.on_main is not None) == (True, True)
    assert not any("authorization" in request.headers for request in fake.asked)
    fake.pages.clear()
    assert (await stages.doors(ordered(bench, ops_url="http://n:4000"))).on_main is None


async def test_the_public_url_is_asked_for_what_it_should_not_have(bench: Bench, world: World, fake: FakeNode) -> None:
    seen = await stages.public(bench)
    assert (seen.url, seen.exchange.status) == ("https://rpc.example.com", 404)
    assert fake.asked[0].method == "POST"
    with pytest.raises(Missing, match="no public URL"):
        await stages.public(in_environment(bench, world, PHX_HOST=""))


@pytest.mark.parametrize(
    ("host", "url", "is_public"),
    [("rpc.example.com", "wss://rpc.example.com/ws/rpc/eth", True), ("", "ws://n:4000/ws/rpc/eth", False)],
)
async def test_a_websocket_is_opened_where_clients_would(
    bench: Bench, world: World, monkeypatch: pytest.MonkeyPatch, host: str, url: str, is_public: bool
) -> None:
    asked: list[Target] = []

    async def check(target: Target, *_: object) -> WebSocket:
        asked.append(target)
        return WebSocket(connected=True)

    monkeypatch.setattr(stages.websocket, "check", check)
    seen = await stages.socket(ordered(in_environment(bench, world, PHX_HOST=host), headers=("a: b",)))
    assert (seen.url, seen.public, seen.found.connected) == (url, is_public, True)
    assert asked[0].headers["a"].reveal() == "b"


async def test_each_strategy_is_called_under_a_name_of_ours(bench: Bench, fake: FakeNode) -> None:
    fake.pages["/rpc/fastest/eth"] = result()
    seen = await stages.strategies(bench)
    assert seen.problems["fastest"] == ""
    assert "HTTP 404" in seen.problems["priority"]
    assert {request.headers["x-request-id"].rpartition("-")[0] for request in fake.asked} == {bench.mark}


async def test_the_cluster_is_asked_for(bench: Bench, fake: FakeNode) -> None:
    fake.pages["/api/cluster"] = reply({"enabled": False})
    assert (await stages.cluster(bench)).row == {"enabled": False}


async def test_every_address_of_the_name_is_asked_for_health_and_a_call(
    bench: Bench, fake: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look(_: object) -> set[Address]:
        return {Address("10.0.0.1", 4000), Address("10.0.0.2", 4000)}

    monkeypatch.setattr(stages.Discovery, "look", look)
    fake.pages |= {"/api/health": reply({"node_id": "a"}), "/rpc/eth": result()}
    assert (await stages.mates(bench)).problems == {"10.0.0.1:4000": "", "10.0.0.2:4000": ""}
    fake.pages["/rpc/eth"] = reply({}, 503)
    assert set((await stages.mates(bench)).problems.values()) == {"HTTP 503"}
    fake.pages["/api/health"] = reply({"hello": 1})
    assert set((await stages.mates(bench)).problems.values()) == {"no node answers there"}
    fake.pages["/api/health"] = httpx.ConnectError("refused")
    assert set((await stages.mates(bench)).problems.values()) == {"refused"}


async def test_a_name_that_does_not_resolve_is_seen_and_no_name_is_missing(
    bench: Bench, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look(_: object) -> set[Address]:
        raise DnsFault("there is no such name")

    monkeypatch.setattr(stages.Discovery, "look", look)
    assert (await stages.mates(bench)).fault == "there is no such name"
    lone = {"CLUSTER_DNS_QUERY": "", "CLUSTER_NODE_BASENAME": ""}
    with pytest.raises(Missing, match="lone node"):
        await stages.mates(in_environment(bench, world, **lone))


async def test_each_region_is_asked_whether_it_is_ready(bench: Bench, fake: FakeNode) -> None:
    with pytest.raises(Missing, match="no regions"):
        await stages.regions(bench)
    fake.pages["/api/ready"] = lambda request: reply({}, 200 if request.url.host == "us" else 503)
    seen = await stages.regions(ordered(bench, regions=("http://us", "http://eu")))
    assert seen.problems == {"http://us": "", "http://eu": "HTTP 503"}


async def test_nobody_is_cordoned_without_a_token(bench: Bench, world: World, fake: FakeNode) -> None:
    with pytest.raises(Missing, match="LASSO_ADMIN_TOKEN"):
        await stages.failover(in_environment(bench, world, LASSO_ADMIN_TOKEN=""))
    assert fake.asked == []


async def test_failover_asks_by_priority_and_for_metadata(bench: Bench, fake: FakeNode) -> None:
    assert "HTTP 404" in (await stages.failover(bench)).fault
    assert str(fake.asked[0].url) == "http://n:4000/rpc/priority/eth?include_meta=body"


async def test_a_load_test_never_makes_more_calls_than_allowed_nor_more_than_the_limit(
    bench: Bench, fake: FakeNode, autojump_clock: trio.testing.MockClock
) -> None:
    fake.pages["/rpc/fastest/eth"] = result()
    began = trio.current_time()
    told: list[str] = []
    bench.tell = told.append
    seen = await stages.load(ordered(bench, load_calls=120))
    assert (len(told), told[-1]) == (120, "load test: 120 of 120")
    assert (seen.sent, seen.errors, seen.paced, seen.cpu_s, seen.memory) == (120, 0, True, 0.0, 80_000_000)
    assert fake.paths.count("/rpc/fastest/eth") == 120
    assert trio.current_time() - began > 2  # 80 at once, then 16 a second
    assert fake.bodies()[0]["method"] == "eth_blockNumber"


async def test_a_load_test_without_metrics_has_no_cost_and_without_calls_is_none(
    bench: Bench, fake: FakeNode, autojump_clock: trio.testing.MockClock
) -> None:
    fake.pages = {"/rpc/fastest/eth": result()}
    seen = await stages.load(bench)
    assert (seen.sent, seen.cpu_s, seen.paced) == (30, None, False)
    with pytest.raises(Missing, match="no calls were allowed"):
        await stages.load(ordered(bench, load_calls=0))


def limiting(burst: int) -> Mapping[str, Any]:
    taken = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal taken
        taken += 1
        return result() if taken <= burst else reply({"error": {"code": 1, "message": "no"}}, 429, retry_after="1")

    return {"/rpc/profile/public/eth": answer}


async def test_the_limit_is_run_into_with_calls_that_cost_providers_nothing(bench: Bench, fake: FakeNode) -> None:
    fake.pages |= limiting(100)
    seen = await stages.limit(bench)
    assert (seen.profile, seen.sent, seen.limited, seen.told_when, seen.other) == ("public", 150, 50, True, "")
    assert {body["method"] for body in fake.bodies()} == {"eth_chainId"}


async def test_a_large_limit_is_left_alone_unless_that_is_wanted(bench: Bench, world: World, fake: FakeNode) -> None:
    bench.facts = attrs.evolve(bench.facts, setup=setup_of(world.folder))
    with pytest.raises(Missing, match="800 calls at once"):
        await stages.limit(ordered(bench, profile="public"))
    fake.pages |= limiting(10)
    seen = await stages.limit(ordered(bench, load=True, load_calls=1000))
    assert (seen.sent, seen.limited) == (800, 300)


async def test_the_log_is_read_where_it_is(bench: Bench, world: World) -> None:
    with pytest.raises(Missing, match="no log was given"):
        await stages.log(bench)
    log = world.folder / "lasso.log"
    log.write_text('{"event": "node.ready"}\n')
    bench = ordered(bench, log=str(log))
    assert (await stages.log(bench)).started
    log.unlink()
    with pytest.raises(Missing, match="cannot be read") as raised:
        await stages.log(bench)
    assert raised.value.gap.unable


async def test_a_log_that_does_not_end_can_be_left(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: ours))
    with trio.move_on_after(0.05) as scope:
        await stages.log(ordered(bench, log="-"))
    assert scope.cancelled_caught
    os.close(theirs)  # what was left behind ends


async def test_what_needs_no_node_is_looked_at(bench: Bench) -> None:
    assert (await stages.machine(bench)).cpus
    assert (await stages.shipped(bench)).files
    assert (await stages.git(bench)).works in (True, False)
    assert (await stages.metrics(bench)).families
