"""Nodes of one cluster, as real processes behind real DNS answers: found, lost under load, back, misconfigured."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from lasso_trio.devnet import Faults, Latency
from tests.e2e.clients import READERS, SENDERS, of_shipped_nginx
from tests.e2e.lasso import CHAIN
from tests.e2e.neighbours import Neighbour
from tests.e2e.town import HOSTS, PROVIDER, Town, start_all, town, until

UNHURRIED = Faults(latency=Latency.constant(50))
HELD_UP = Faults(latency=Latency.constant(600))
"""So that all clients' calls are in flight together."""
FIND_S = 90.0
"""Until all have found each other and told each other of their calls; nothing is promised but the next exchange."""
LOSE_S = 20.0 + 40.0
"""What is promised, and what a busy machine may be late; how long it took is printed."""
RETURN_S = 10.0 + 50.0
Say = Callable[[str], None]
CUT = re.compile(rb"prematurely closed|reset by peer")
"""What nginx says of a call that its node left unanswered."""


async def test_a_killed_node_is_shown_left_out_and_taken_back_and_clients_of_nginx_notice_nothing(
    tmp_path: Path, say: Say
) -> None:
    async with town(tmp_path, UNHURRIED) as here:
        here.list_hosts(*HOSTS[:3])
        one, two, three = (here.node(HOSTS[n], id_) for n, id_ in enumerate(("us-east-1", "eu-west-1", "ap-south-1")))
        await start_all(one, two, three)
        async with of_shipped_nginx(tmp_path / "front", here.nodes) as clients:
            for node in here.nodes:
                await until(FIND_S, lambda node=node: _counts(node, three, 50))
                assert (await node.health())["regions"] == ["ap", "eu", "us"]
            await _kill_with_calls_in_flight(here, three)
            killed = trio.current_time()
            here.names.broken = True  # and DNS fails for a while
            for node in (one, two):
                await until(LOSE_S, lambda node=node: _is(node.state_of("ap-south-1"), "disconnected"))
                await until(LOSE_S, lambda node=node: _has(node, "dns"))  # which each finds out in its own time
                await _is_left_out(node)
            lost_s = trio.current_time() - killed
            here.names.broken = False
            await three.start()
            started = trio.current_time()
            for node in here.nodes:
                await until(RETURN_S, lambda node=node: _is(_status(node), "healthy"))
                await until(RETURN_S, lambda node=node: _is(node.problems(), set()))
            say(f"shown disconnected after {lost_s:.1f} s, back after {trio.current_time() - started:.1f} s")
            await until(FIND_S, lambda: _counts(three, three, 1))  # nginx has seen it too
        assert clients.failed == []
        assert clients.served > 500
        assert CUT.search((tmp_path / "front" / "nginx" / "error.log").read_bytes())


async def _kill_with_calls_in_flight(here: Town, node: Neighbour) -> None:
    """Every client has a call with the provider then, and each node a part of them."""

    def sent() -> int:
        calls = here.net.providers[PROVIDER].calls
        return calls["eth_getBalance"] + calls["eth_sendRawTransaction"]

    before = sent()
    here.net.set_faults(PROVIDER, HELD_UP)

    async def all_are_there() -> bool:
        return sent() >= before + READERS + SENDERS

    await until(FIND_S, all_are_there, 0.01)
    node.kill()
    here.net.set_faults(PROVIDER, UNHURRIED)


async def _is_left_out(node: Neighbour) -> None:
    """Of what `node` says of the cluster, in every place."""
    health, seen = await node.health(), await node.cluster(chain=CHAIN)
    assert (health["nodes_total"], health["nodes_responding"], health["status"]) == (3, 2, "degraded")
    assert health["problems"] == ["dns"]
    assert seen["coverage"]["disconnected"] == ["ap-south-1"]
    assert seen["nodes_counted"] == 2
    (provider,) = seen["chains"][0]["providers"]
    assert [row["node"] for row in provider["by_node"]] == ["eu-west-1", "us-east-1"]
    assert provider["total_calls"] == sum(row["total_calls"] for row in provider["by_node"])
    states = {
        state: await node.metric(f'lasso_cluster_nodes{{state="{state}"}}') for state in ("responding", "disconnected")
    }
    assert states == {"responding": 2, "disconnected": 1}


async def test_a_wrong_secret_and_an_id_in_use_are_reported_by_everybody(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        here.list_hosts(*HOSTS[:2])
        one, two = here.node(HOSTS[0], "us-east-1"), here.node(HOSTS[1], "eu-west-1")
        await start_all(one, two)
        stranger = here.node(HOSTS[3], "sa-east-1", secret="t" * 64)
        double = here.node(HOSTS[4], "us-east-1")
        here.list_hosts(*HOSTS[:2], *HOSTS[3:])
        await start_all(stranger, double)
        for node in (one, two, double):
            await until(FIND_S, lambda node=node: _is(node.problems(), {"secret", "duplicate_id"}))
        await until(FIND_S, lambda: _is(stranger.problems(), {"secret"}))
        await until(FIND_S, lambda: _is(_coverage(one), (3, 4)))
        for node in here.nodes:
            assert "result" in await node.call()


async def _is(found: Awaitable[object], wanted: object) -> bool:
    return await found == wanted


async def _has(node: Neighbour, problem: str) -> bool:
    return bool(problem in (await node.health())["problems"])


async def _status(node: Neighbour) -> object:
    return (await node.health())["status"]


async def _coverage(node: Neighbour) -> tuple[object, object]:
    """How many respond, and how many there should be."""
    found = (await node.cluster())["coverage"]
    return found["responding"], found["expected"]


async def _counts(node: Neighbour, other: Neighbour, calls: int) -> bool:
    """Whether all respond to `node`, and it knows of so many calls of `other`."""
    seen = await node.cluster(chain=CHAIN)
    rows = [row for chain in seen["chains"] for provider in chain["providers"] for row in provider["by_node"]]
    told = sum(row["total_calls"] for row in rows if row["node"] == other.node_id)
    return seen["coverage"]["text"] == "3 of 3" and told >= calls
