"""Hedged calls before real nodes, two of them at the end of lines that become slow."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from tests.e2e.conftest import Lived, Serve
from tests.e2e.lasso import Lasso
from tests.e2e.slow_line import SlowLine, lines

Say = Callable[[str], None]
CALL = b'{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x%040x","latest"]}'


@asynccontextmanager
async def raced(fresh: Lived, serve: Serve, env: Mapping[str, str] = {}) -> AsyncIterator[tuple[Lasso, list[SlowLine]]]:
    """A proxy over three nodes, the first two of them behind lines, and all of them known to it."""
    one, two, three = fresh.fleet.nodes
    async with lines(one.port, two.port) as slow:
        nodes = {"one": slow[0].url, "two": slow[1].url, "three": three.url}
        lasso = await trio.to_thread.run_sync(lambda: serve(nodes, env=env))
        for provider in nodes:
            for n in range(40):
                await ask(lasso, CALL % n, f"/rpc/provider/{provider}/anvil")
        yield lasso, slow


async def ask(lasso: Lasso, body: bytes, path: str, **headers: str) -> Any:
    told = await trio.to_thread.run_sync(lambda: lasso.ask(body, path, headers))
    return json.loads(told)


async def metrics(lasso: Lasso) -> Any:
    status, told = await trio.to_thread.run_sync(lasso.get, "/api/metrics/anvil")
    assert status == 200
    return told


async def test_a_line_that_becomes_slow_is_raced_and_the_answer_is_the_same(
    fresh: Lived, serve: Serve, say: Say
) -> None:
    async with raced(fresh, serve) as (lasso, slow):
        slow[0].delay_s, slow[1].delay_s = 1.5, 0.02
        took, by_hedge = [], 0
        for n in range(12):
            started = time.monotonic()
            told = await ask(lasso, CALL % n, "/rpc/priority/anvil?include_meta=body", **{"X-Lasso-Hedge": "30"})
            took.append(time.monotonic() - started)
            assert told["result"] == fresh.fleet.nodes[2].call("eth_getBalance", f"0x{n:040x}", "latest")
            by_hedge += told["lasso_meta"].get("won_by") == "hedge"
        hedges = (await metrics(lasso))["hedges"]
        assert by_hedge == len(took)
        assert hedges["fired"] == hedges["won"] + hedges["wasted"]
        say(f"a line of 1.5 s: {by_hedge} of {len(took)} won by hedges, median {statistics.median(took):.3f} s")


async def test_a_client_that_leaves_in_a_race_leaves_no_work_behind(fresh: Lived, serve: Serve) -> None:
    async with raced(fresh, serve, {"LASSO_PROBES": "off"}) as (lasso, slow):  # they go over the lines, too
        three = fresh.fleet.nodes[2]
        for line in slow:
            line.delay_s, line.busy = 5.0, trio.Event()
        three.pause()
        try:
            client = await trio.open_tcp_stream("127.0.0.1", lasso.port)
            body = CALL % 7
            head = b"POST /rpc/priority/anvil HTTP/1.1\r\nhost: x\r\nx-lasso-hedge: 20\r\ncontent-length: %d\r\n\r\n"
            await client.send_all(head % len(body) + body)
            for line in slow:  # both are asked
                await line.busy.wait()
            await trio.sleep(0.1)  # a FIN right behind the request would only say that no more will be sent
            await client.aclose()
            nothing = Left([0, 0, 0], cancelled=1, open=[0, 0])
            with trio.move_on_after(30):
                while await left(lasso, slow) != nothing:  # noqa: ASYNC110 (another process)
                    await trio.sleep(0.05)
            assert await left(lasso, slow) == nothing
        finally:
            three.resume()


@attrs.frozen
class Left:
    """By a client: calls in flight at each channel, calls that were cancelled, and the lines' connections, whose end is
    what tells a node.
    """

    in_flight: list[int]
    cancelled: int
    open: list[int]


async def left(lasso: Lasso, slow: list[SlowLine]) -> Left:
    told = await metrics(lasso)
    in_flight = [channel["in_flight"] for provider in told["providers"] for channel in provider["channels"]]
    return Left(in_flight, told["chain_performance"]["cancelled_calls"], [line.open for line in slow])
