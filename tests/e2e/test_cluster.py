"""Nodes of one cluster, as real processes behind real DNS answers: found, lost, back, misconfigured, without DNS."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path

import pytest
import trio

from tests.e2e.lasso import CHAIN
from tests.e2e.neighbours import Neighbour
from tests.e2e.town import HOSTS, start_all, town, until


@pytest.mark.timeout(120)
async def test_a_killed_node_is_shown_left_out_and_taken_back_while_the_others_serve(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        here.list_hosts(*HOSTS[:3])
        one, two, three = (here.node(HOSTS[n], id_) for n, id_ in enumerate(("us-east-1", "eu-west-1", "ap-south-1")))
        await start_all(one, two, three)
        for _ in range(12):
            await three.call()

        async def counted() -> bool:
            seen = await one.cluster(chain=CHAIN)
            return seen["coverage"]["text"] == "3 of 3" and seen["chains"][0]["total_calls"] >= 12

        await until(25, counted)  # three's calls, told at its next exchange with one
        await until(25, lambda: _is(_status(two), "healthy"))  # which finds the others on its own
        assert (await two.health())["regions"] == ["ap", "eu", "us"]

        failed: list[object] = []
        served, enough = 0, trio.Event()

        async def keep_calling(node: Neighbour) -> None:
            nonlocal served
            while not enough.is_set():  # cancelled within a call, httpx would leave its body's generator behind
                answer = await node.call()
                served += 1
                if "result" not in answer:
                    failed.append(answer)
                await trio.sleep(0.05)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_calling, one)
            nursery.start_soon(keep_calling, two)
            three.kill()
            here.names.broken = True  # and DNS fails for a while
            for node in (one, two):
                await until(20, lambda node=node: _is(node.state_of("ap-south-1"), "disconnected"))
            health, seen = await one.health(), await one.cluster(chain=CHAIN)
            assert (health["nodes_total"], health["nodes_responding"], health["status"]) == (3, 2, "degraded")
            assert health["problems"] == ["dns"]
            assert seen["coverage"]["disconnected"] == ["ap-south-1"]
            providers = seen["chains"][0]["providers"]
            assert [row["node"] for row in providers[0]["by_node"]] == ["eu-west-1", "us-east-1"]
            assert seen["nodes"][0]["id"] == "us-east-1"
            here.names.broken = False
            await three.start()
            for node in (one, two, three):
                await until(10, lambda node=node: _is(_status(node), "healthy"))
            await until(10, lambda: _is(one.problems(), set()))
            enough.set()
        assert failed == []
        assert served > 100


@pytest.mark.timeout(120)
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
            await until(15, lambda node=node: _is(node.problems(), {"secret", "duplicate_id"}))
        await until(15, lambda: _is(stranger.problems(), {"secret"}))
        whole = await one.cluster()
        assert whole["coverage"]["responding"] == 3
        assert whole["coverage"]["expected"] == 4
        for node in here.nodes:
            assert "result" in await node.call()


async def _is(found: Awaitable[object], wanted: object) -> bool:
    return await found == wanted


async def _status(node: Neighbour) -> object:
    return (await node.health())["status"]
