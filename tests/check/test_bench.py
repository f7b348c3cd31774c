from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import httpx
import pytest

from lasso_trio.access.api_key import digest_of, made
from lasso_trio.check.bench import Bench, Missing
from lasso_trio.check.caller import Caller
from lasso_trio.check.facts import Facts, NodeSeen
from lasso_trio.check.order import Order
from lasso_trio.check.setup import Setup
from lasso_trio.config.access import AccessPolicy, ApiKey, Auth, Terms
from lasso_trio.config.profile import Profile
from tests.check.conftest import METRICS, World, json_page, setup_of
from tests.check.fake_node import FakeNode

CHAINS = {"chains": [{"chain_name": "eth", "profiles": ["public"]}, {"chain_name": "base", "profiles": ["other"]}]}


def bench_of(world: World, environ: Mapping[str, str] = {}, chains: object = CHAINS, **order: str | None) -> Bench:
    node = NodeSeen((json_page({}),), json_page({}), json_page(chains))
    facts = Facts(setup_of(world.folder, environ), "http://n:4000", node=node)
    caller = Caller({}, 1.0, httpx.AsyncClient(transport=httpx.MockTransport(FakeNode().handle)))
    return Bench(Order(**{"url": "http://n:4000", **order}), facts, caller)  # type: ignore[arg-type]


def test_operators_pages_are_where_they_are_said_or_set_to_be(world: World) -> None:
    assert bench_of(world).ops == "http://n:4001"
    assert bench_of(world, {"LASSO_OPS_PORT": ""}).ops == "http://n:4000"
    assert bench_of(world, ops_url="http://o/").ops == "http://o"
    assert bench_of(world, url="http://[::1]:4000").ops == "http://[::1]:4001"


def test_the_public_url_is_as_given_or_of_the_environment(world: World) -> None:
    assert bench_of(world).public == "https://rpc.example.com"
    assert bench_of(world, public_url="https://x").public == "https://x"
    assert bench_of(world, {"PHX_HOST": "localhost"}).public is None
    assert bench_of(world, {"PORT": "many"}).public is None


def test_calls_go_to_the_first_chain_that_the_node_lists(world: World) -> None:
    assert bench_of(world).path() == "/rpc/eth"
    assert bench_of(world).path("fastest") == "/rpc/fastest/eth"
    assert bench_of(world, profile="other").path("fastest") == "/rpc/profile/other/fastest/base"
    assert bench_of(world, chain="1").rpc("http://n") == "http://n/rpc/1"
    assert bench_of(world, chain="1").path(profile="other") == "/rpc/profile/other/base"


def test_an_unlisted_profiles_chain_is_read_from_its_file(world: World) -> None:
    assert bench_of(world, chains={"chains": []}, profile="public").chain == "ethereum"
    with pytest.raises(Missing, match="no chain of any profile"):
        _ = bench_of(world, chains={"chains": "odd"}).chain
    with pytest.raises(Missing, match="no chain of nobody"):
        _ = bench_of(world, profile="nobody").chain


def test_limits_are_those_of_the_profile_that_is_called(world: World) -> None:
    bench = bench_of(world)
    assert bench.limits == (100, 500)
    small = attrs.evolve(bench.facts.setup.profiles["public"], slug="small", rps_limit=7, burst_limit=9)
    setup = attrs.evolve(bench.facts.setup, profiles={**bench.facts.setup.profiles, "small": small})
    bench.facts = attrs.evolve(bench.facts, setup=setup)
    assert bench.limits == (100, 500)
    assert attrs.evolve(bench, order=Order(url="http://n", profile="small")).limits == (7, 9)
    bench.facts = attrs.evolve(bench.facts, node=None)
    assert bench.limits == (100, 500)
    bench.facts = attrs.evolve(bench.facts, setup=Setup({}, world.folder))
    assert bench.limits == (100, 500)


def test_the_narrowest_limit_is_of_the_profiles_that_let_us_in(world: World) -> None:
    key = made("wallet")
    bench = bench_of(world)
    public = bench.facts.setup.profiles["public"]
    policy = AccessPolicy(Auth((ApiKey("wallet", digest_of(key), Terms(5, 6)),)))
    small = attrs.evolve(public, slug="small", rps_limit=7, burst_limit=9, access=policy)

    def narrowest(*profiles: Profile, **order: Any) -> tuple[str | None, tuple[int, int]]:
        setup = attrs.evolve(bench.facts.setup, profiles={each.slug: each for each in profiles})
        facts = attrs.evolve(bench.facts, setup=setup)
        return attrs.evolve(bench, facts=facts, order=Order(url="http://n", **order)).narrowest

    assert narrowest(public, small) == ("public", (100, 500))
    assert narrowest(public, small, headers=(f"X-Lasso-Api-Key: {key}",)) == ("small", (5, 6))
    assert narrowest(public, small, profile="default") == ("default", (100, 500))
    assert narrowest(profile="elsewhere") == ("elsewhere", (100, 500))
    with pytest.raises(Missing, match="lets us in"):
        narrowest(small)


async def test_metrics_are_read_from_the_operators_port(world: World) -> None:
    node = FakeNode({"/metrics": httpx.Response(200, text=METRICS)})
    async with node.caller() as caller:
        bench = attrs.evolve(bench_of(world), caller=caller)
        assert (await bench.metric_page()).has("lasso_calls_total")
        assert node.asked[0].url.port == 4001
        node.pages["/metrics"] = httpx.Response(404)
        with pytest.raises(Missing, match="HTTP 404"):
            await bench.metric_page()
        node.pages["/metrics"] = httpx.Response(200, text="<html>")
        with pytest.raises(Missing, match="no page of metrics"):
            await bench.metric_page()
