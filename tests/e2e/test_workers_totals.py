"""Two real workers: whichever of them an operator asks, he is told of the node, and nothing falls when one dies."""

from __future__ import annotations

import http.client
import os
import re
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from lasso_trio.devnet import Chain, Devnet, Faults
from tests.e2e import lasso as proxies
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.caller import Caller
from tests.e2e.lasso import CHAIN, Lasso
from tests.e2e.test_workers import BODY, PATIENCE_S, events, processes, until

CONNECTIONS, EACH = 16, 5
CALLS = CONNECTIONS * EACH
ASKED = 12
"""So many questions on connections of their own come to both workers."""
ENV = {"LASSO_WORKERS": "2", "LASSO_LOG_SAMPLE_RATE": "1", "LASSO_DASHBOARD_ENABLED": "true"}


async def call(lasso: Lasso) -> None:
    async def on_one(number: int) -> None:
        caller = await Caller.connect(lasso.port, f"/rpc/{CHAIN}")
        for step in range(EACH):
            answer = await caller.call(BODY % (step, number * EACH + step))
            assert b'"result"' in answer.body
        caller.close()

    async with trio.open_nursery() as nursery:
        for number in range(CONNECTIONS):
            nursery.start_soon(on_one, number)


async def asked(lasso: Lasso, path: str) -> list[Any]:
    """What it answers on several connections, one after the other."""
    get = partial(lasso.get, path)
    answers = [await trio.to_thread.run_sync(get) for _ in range(ASKED)]
    assert {status for status, _ in answers} == {200}
    return [body for _, body in answers]


async def scraped(lasso: Lasso) -> list[str]:
    return [await trio.to_thread.run_sync(text, lasso, "/metrics") for _ in range(ASKED)]


def text(lasso: Lasso, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", lasso.port, timeout=60)
    connection.request("GET", path)
    reply = connection.getresponse()
    assert reply.status == 200, reply.read(300)
    try:
        return reply.read().decode()
    finally:
        connection.close()


def counted(page: str) -> float:
    found = re.search(r"^lasso_calls_total\{[^}]*\} (\S+)$", page, re.MULTILINE)
    assert found is not None, page[:500]
    return float(found[1])


async def scraped_calls(lasso: Lasso) -> set[float]:
    return {counted(page) for page in await scraped(lasso)}


async def told_calls(lasso: Lasso) -> set[float]:
    return {page["chain_performance"]["total_calls"] for page in await asked(lasso, f"/api/metrics/{CHAIN}")}


async def until_all_say(look: Callable[[], Awaitable[set[float]]], calls: int) -> None:
    """Figures are good for a moment, longer than a busy machine takes to ask again. No worker may say more."""
    with trio.move_on_after(PATIENCE_S):
        while (said := await look()) != {calls}:
            assert max(said) <= calls, said
    assert await look() == {calls}


async def shown(lasso: Lasso) -> set[Any]:
    return {row["headline"]["calls_total"] for row in await asked(lasso, "/dashboard/api/public/snapshot")}


@pytest.mark.timeout(300)
async def test_whichever_worker_is_asked_the_node_answers_and_no_total_falls(tmp_path: Path) -> None:
    async with Devnet.open({"steady": Faults()}, chain=Chain(CHAIN_ID, 1.0, 1000)) as net:
        running = proxies.running(tmp_path / "lasso", {"steady": net.url("steady")}, env=ENV)
        lasso = await trio.to_thread.run_sync(running.__enter__)
        try:
            await until(lambda: any("workers" in record for record in events(lasso, "node.ready")))
            await call(lasso)
            await until(lambda: len({record["worker"] for record in lasso.completed()}) == 2)
            await check(lasso)
        except BaseException:
            os.kill(lasso.pid, signal.SIGKILL)
            raise
        await trio.to_thread.run_sync(running.__exit__, None, None, None)


async def check(lasso: Lasso) -> None:
    await until_all_say(partial(told_calls, lasso), CALLS)
    told = await asked(lasso, f"/api/metrics/{CHAIN}")
    assert {page["providers"][0]["total_calls"] for page in told} == {CALLS}
    assert {len(page["system_metrics"]["workers"]) for page in told} == {2}
    assert {page["rpc_performance_by_provider"][0]["methods"][0]["total_calls"] for page in told} == {CALLS}
    await until_all_say(partial(scraped_calls, lasso), CALLS)  # a turn of telling, and a page is kept for a second
    pages = await scraped(lasso)
    assert {counted(page) for page in pages} == {CALLS}
    shares = re.findall(r'^lasso_worker_calls_total\{worker="\d"\} (\S+)$', pages[0], re.MULTILINE)
    assert sum(map(float, shares)) == CALLS
    assert len(shares) == 2
    await until_all_say(partial(shown, lasso), CALLS)
    await kill(lasso, 0)
    assert await scraped_calls(lasso) == {CALLS}
    assert await told_calls(lasso) == {CALLS}
    await call(lasso)
    await until_all_say(partial(told_calls, lasso), 2 * CALLS)
    await until_all_say(partial(scraped_calls, lasso), 2 * CALLS)


async def kill(lasso: Lasso, worker: int) -> None:
    """With SIGKILL; returns when it is replaced and takes calls."""
    ready = len(events(lasso, "worker.ready"))
    os.kill(processes(lasso)[worker], signal.SIGKILL)
    await until(lambda: len(events(lasso, "worker.ready")) > ready)
