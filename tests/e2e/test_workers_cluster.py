"""A node of two workers beside one of one process: to each other they are two nodes, whichever worker is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.lasso import CHAIN
from tests.e2e.neighbours import Neighbour
from tests.e2e.town import HOSTS, start_all, town, until

ASKED = 8
CALLS = 12


async def told(node: Neighbour, path: str) -> list[dict[str, Any]]:
    """What it answers on several connections of their own."""
    answers = []
    for _ in range(ASKED):
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            answers.append((await client.get(f"{node.base}{path}")).json())
    return answers


async def call(node: Neighbour) -> None:
    for _ in range(CALLS):
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            node.client = client
            assert "result" in await node.call()


@pytest.mark.timeout(300)
async def test_a_node_of_two_workers_is_one_node_and_tells_of_both_its_workers_calls(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        here.list_hosts(*HOSTS[:2])
        one, two = (here.node(HOSTS[n], id_) for n, id_ in enumerate(("us-1", "eu-1")))
        two.workers = 2
        await start_all(one, two)
        await call(two)

        async def whole() -> bool:
            health = [row["cluster"] for node in (one, two) for row in await told(node, "/api/health")]
            return all((row["nodes_total"], row["nodes_responding"]) == (2, 2) for row in health)

        async def added_up() -> bool:
            pages = await told(
                two, f"/api/cluster?chain={CHAIN}&node=eu-1"
            )  # as it tells the other at the next exchange
            return all(page["chains"][0]["total_calls"] == CALLS for page in pages)

        await until(60, whole)
        await until(60, added_up)
        for node in (one, two):
            assert [row["cluster"]["problems"] for row in await told(node, "/api/health")] == [[]] * ASKED
