"""Nodes of one cluster whose DNS fails for more than a minute. The slowest test of all: the minute is a real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.e2e.clients import Clients
from tests.e2e.neighbours import Neighbour
from tests.e2e.town import HOSTS, Town, start_all, town, until

FIND_S = 90.0
NOTICE_S = 60.0
"""A look at DNS every five seconds that may take three, on a busy machine."""
HALF_S = 33.0
"""So long each way of failing lasts."""


@pytest.mark.timeout(300)
async def test_a_minute_without_dns_is_told_and_takes_no_node_and_no_call_away(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        here.list_hosts(*HOSTS[:3])
        await start_all(*(here.node(HOSTS[n], id_) for n, id_ in enumerate(("us-1", "eu-1", "ap-1"))))
        for node in here.nodes:
            await until(FIND_S, lambda node=node: _stands(node, 3, set()))
        clients = Clients(here.client)
        async with trio.open_nursery() as nursery:
            for node in here.nodes:
                nursery.start_soon(clients.read, node.base)
            late = await _outage(here)
            for node in here.nodes:
                await until(FIND_S, lambda node=node: _stands(node, 4, set()))
            clients.enough.set()
        assert clients.failed == []
        assert clients.served > 500
        for node in here.nodes:
            await until(FIND_S, lambda node=node: _says_it_answers(node))
            assert len(_events(node, "cluster.dns_failed")) == (1 if node is late else 2)  # once for each way
            assert len(_events(node, "cluster.dns_answers_again")) == 1


async def _outage(here: Town) -> Neighbour:
    """First the server says that it failed, then nothing at all. The node that joins meanwhile is on its own."""
    there = list(here.nodes)
    here.names.broken = True
    await _hold_out(there, "SERVFAIL")
    here.names.silent = True
    late = here.node(HOSTS[3], "sa-1")
    here.list_hosts(*HOSTS[:4])
    await late.start()
    await _hold_out(there, "no answer in time")
    assert "result" in await late.call()
    assert await _stands(late, 1, {"dns"})
    here.names.broken = here.names.silent = False
    return late


async def _hold_out(nodes: list[Neighbour], error: str) -> None:
    """For half the time `nodes` have each other, and each says that DNS fails, and how."""
    for node in nodes:
        await until(NOTICE_S, lambda node=node: _says(node, error))
    end = trio.current_time() + HALF_S
    while trio.current_time() < end:
        for node in nodes:
            assert await _stands(node, len(nodes), {"dns"})
            assert await node.metric('lasso_cluster_problems{kind="dns"}') == 1
        await trio.sleep(1)


async def _stands(node: Neighbour, responding: int, problems: set[str]) -> bool:
    """Whether all that it knows of respond, so many, and it has these problems."""
    health = await node.health()
    found = (health["status"], health["nodes_responding"], health["nodes_total"], set(health["problems"]))
    return found == ("healthy", responding, responding, problems)


async def _says(node: Neighbour, error: str) -> bool:
    return error in ((await node.cluster())["dns"]["error"] or "")


async def _says_it_answers(node: Neighbour) -> bool:
    """In its log, which is written from time to time."""
    return len(_events(node, "cluster.dns_answers_again")) > 0


def _events(node: Neighbour, event: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in node.log().splitlines() if line.startswith(b"{") and line.endswith(b"}"))
    return [record for record in lines if record["event"] == event]
