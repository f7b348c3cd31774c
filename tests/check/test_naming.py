from __future__ import annotations

import pytest

from lasso_trio.check.caller import Said
from lasso_trio.check.naming import strange_here, strange_there, strange_to_all
from lasso_trio.check.order import Order
from lasso_trio.jsonrpc.errors import RpcError, profile_not_found, unauthorized, unknown_chain
from tests.check.conftest import World
from tests.check.fake_node import FakeNode, reply, result
from tests.check.test_bench import bench_of


@pytest.mark.parametrize(
    ("profile", "chain", "strange"),
    [
        (None, None, ""),
        ("public", None, ""),
        ("default", None, ""),
        ("nosuch", None, "--profile: nobody knows 'nosuch'"),
        ("nosuch", "ethereum", "--profile: nobody knows 'nosuch'"),
        (None, "ethereum", ""),
        ("public", "1", ""),
        (None, "base", "--chain: nobody knows 'base'"),
        ("public", "base", "--chain: nobody knows 'base' in public"),
    ],
)
def test_the_profiles_here_know_their_names(world: World, profile: str | None, chain: str | None, strange: str) -> None:
    assert strange_here(Order(profile=profile, chain=chain), world.facts.setup.profiles) == strange


def said(error: RpcError) -> Said:
    return Said(error.status, f"{error.code} {error.message}")


@pytest.mark.parametrize(
    ("answer", "strange"),
    [
        (said(profile_not_found("x")), "--profile: nobody knows 'x'"),
        (said(unknown_chain("y", "x")), "--chain: nobody knows 'y' in x"),
        (said(unauthorized("missing", "a key or token is needed")), ""),
        (Said(200), ""),
        (Said(problem="no answer in time"), ""),
    ],
)
def test_a_nodes_answer_tells_what_it_does_not_know(answer: Said, strange: str) -> None:
    assert strange_there(Order(profile="x", chain="y"), answer) == strange


async def test_a_node_is_asked_only_for_what_is_not_known_here(world: World) -> None:
    node = FakeNode(
        {"/rpc/profile/hidden/0": reply({"error": {"code": -32602, "message": "Unsupported chain: …"}}, 400)}
    )
    async with node.caller() as caller:

        async def strange(**order: str) -> str:
            bench = bench_of(world, **order)
            bench.caller = caller
            return await strange_to_all(bench)

        assert [await strange(), await strange(profile="public"), await strange(chain="1")] == ["", "", ""]
        assert node.asked == []
        assert await strange(profile="hidden") == ""
        assert await strange(profile="nosuch") == "--profile: nobody knows 'nosuch'"
        node.pages["/rpc/base"] = result()
        assert await strange(chain="base") == ""
        assert node.paths == ["/rpc/profile/hidden/0", "/rpc/profile/nosuch/0", "/rpc/base"]


async def test_without_profiles_here_the_node_is_asked(world: World) -> None:
    node = FakeNode()
    async with node.caller() as caller:
        bench = bench_of(world, {"PORT": "4000", "DRPC_KEY": ""}, profile="public")
        bench.caller = caller
        assert not bench.facts.setup.profiles
        assert await strange_to_all(bench) == "--profile: nobody knows 'public'"
