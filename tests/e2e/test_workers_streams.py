"""Real worker processes over simulated providers: the one that keeps is killed again and again. Clients of the others
see a chain without a gap, and the providers see one node.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from lasso_trio.devnet import Chain, Devnet, Faults
from lasso_trio.devnet.chain import View
from tests.e2e import lasso as proxies
from tests.e2e.lasso import CHAIN, Lasso
from tests.e2e.test_workers import processes
from tests.subscriptions.simulated import fold_heads, fold_logs

BLOCK_S: Final = 0.5
KILLS: Final = 5
CLIENTS: Final = 24
WORKERS: Final = 3
TOKEN: Final = "a-token-for-the-operator-of-this-test"
ANSWER_S: Final = 60.0
LOOK_S: Final = 0.02


@attrs.define(eq=False)
class Client:
    """One socket with one subscription. `lost`: its worker is gone."""

    params: list[Any]
    live: trio.Event = attrs.field(factory=trio.Event)
    told: list[dict[str, Any]] = attrs.field(factory=list)
    gaps: list[Any] = attrs.field(factory=list)
    lost: bool = False

    async def run(self, port: int) -> None:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with stream, trio.open_nursery() as nursery:
            try:
                await self._listen(await wrap_client_stream(nursery, stream, "lasso", f"/ws/rpc/{CHAIN}"))
            except ConnectionClosed:
                self.lost = True
            nursery.cancel_scope.cancel()

    async def _listen(self, socket: WebSocketConnection) -> NoReturn:
        await socket.send_message(json.dumps({"id": 1, "method": "eth_subscribe", "params": self.params}))
        while True:
            self._take(json.loads(await socket.get_message()))

    def _take(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            assert "result" in message, message
            self.live.set()
        elif message["method"] == "lasso_gap":
            self.gaps.append(message)
        else:
            self.told.append(message["params"]["result"])


def keeper_of(lasso: Lasso) -> int:
    """The parent's last word on it."""
    lines = [json.loads(line) for line in lasso.log.splitlines() if b"node.keeper" in line]
    return int(next(line["keeper"] for line in reversed(lines) if line["keeper"] is not None))


def ready_workers(lasso: Lasso) -> int:
    return lasso.log.count(b'"worker.ready"')


@asynccontextmanager
async def node_over(net: Devnet, folder: Path, workers: int, env: Mapping[str, str] = {}) -> AsyncIterator[Lasso]:
    urls = {name: net.url(name) for name in net.providers}
    context = proxies.running(
        folder, urls, env={"LASSO_WORKERS": str(workers), **env}, chain={"block_time_ms": 500}, websockets=True
    )
    lasso = await trio.to_thread.run_sync(context.__enter__)
    try:
        if workers > 1:
            await until(lambda: ready_workers(lasso) >= workers, "all workers to be ready")
        yield lasso
    except BaseException:
        os.kill(lasso.pid, signal.SIGKILL)
        raise
    await trio.to_thread.run_sync(partial(context.__exit__, None, None, None))


async def until(so: Callable[[], bool], what: str) -> None:
    for _ in range(round(ANSWER_S / LOOK_S)):
        if so():
            return
        await trio.sleep(LOOK_S)
    raise AssertionError(f"waited in vain for {what}")


@asynccontextmanager
async def subscribed(lasso: Lasso, *wishes: list[Any]) -> AsyncIterator[list[Client]]:
    clients = [Client(wish) for wish in wishes]
    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(client.run, lasso.port)
        with trio.fail_after(ANSWER_S):
            for client in clients:
                await client.live.wait()
        yield clients
        nursery.cancel_scope.cancel()


async def kill_keeper(lasso: Lasso) -> None:
    """With SIGKILL; returns when another keeps and the dead one is replaced."""
    keeper, ready = keeper_of(lasso), ready_workers(lasso)
    os.kill(processes(lasso)[keeper], signal.SIGKILL)
    await until(lambda: keeper_of(lasso) != keeper, "another worker to keep")
    await until(lambda: ready_workers(lasso) > ready, "the dead worker to be replaced")


async def test_the_keeping_worker_is_killed_and_the_other_workers_clients_notice_nothing(tmp_path: Path) -> None:
    chain = Chain(block_time=BLOCK_S, start_height=1000)
    async with (
        Devnet.open({"a": Faults(), "b": Faults(), "c": Faults()}, chain=chain) as net,
        node_over(net, tmp_path / "node", WORKERS) as lasso,
    ):
        if keeper_of(lasso) == WORKERS - 1:  # the lowest is named: from here on the last one never is
            await kill_keeper(lasso)
        async with subscribed(lasso, *([["newHeads"], ["logs", {}]] * (CLIENTS // 2))) as clients:
            began = chain.height(trio.current_time())
            for kill in range(KILLS):
                await trio.sleep(0.7 + kill % 3 * 0.5)
                await kill_keeper(lasso)
            await trio.sleep(4)
            view = chain.view(trio.current_time())
            with trio.move_on_after(ANSWER_S):
                while not all(client.lost or has_all(client, view, began) for client in clients):  # noqa: ASYNC110
                    await trio.sleep(0.2)
            check(clients, view, began)


def has_all(client: Client, view: View, began: int) -> bool:
    """Whether it was told of the blocks of `view`, all of them when nothing is missing in between."""
    if client.params == ["newHeads"]:
        head = view.block(view.head)
        return head is not None and any(told["hash"] == head.hash for told in client.told)
    return logs_of(view, began) <= {(log["blockHash"], log["logIndex"]) for log in client.told}


def logs_of(view: View, began: int) -> set[tuple[str, str]]:
    blocks = [block for n in range(began + 1, view.head + 1) if (block := view.block(n)) is not None]
    return {(log["blockHash"], log["logIndex"]) for block in blocks for log in block.logs()}


def check(clients: list[Client], view: View, began: int) -> None:
    """Of those whose worker lived, each was told the chain since it came; the others were told nothing wrong."""
    survivors = [client for client in clients if not client.lost]
    assert 0 < len(survivors) < CLIENTS
    for client in survivors:
        assert not client.gaps
        assert has_all(client, view, began)
        if client.params == ["newHeads"]:
            first = int(client.told[0]["number"], 16)
            wanted = [block.hash for n in range(first, view.head + 1) if (block := view.block(n)) is not None]
            assert fold_heads(client.told)[: len(wanted)] == wanted
        else:
            assert logs_of(view, began) <= set(fold_logs(client.told, began))


async def test_the_providers_see_the_sockets_and_subscriptions_of_one_node(tmp_path: Path) -> None:
    seen = []
    for workers in (1, 4):
        chain = Chain(block_time=BLOCK_S, start_height=1000)
        async with (
            Devnet.open({"a": Faults(), "b": Faults()}, chain=chain) as net,
            node_over(net, tmp_path / str(workers), workers) as lasso,
            subscribed(lasso, *([["newHeads"], ["logs", {}]] * 8)) as clients,
        ):
            await trio.sleep(5)
            assert all(client.told for client in clients)
            seen.append([(node.calls["eth_subscribe"], node.calls["eth_chainId"]) for node in net.providers.values()])
    assert seen[0] == seen[1]


async def test_an_operators_order_to_one_worker_holds_in_all(tmp_path: Path) -> None:
    async with (
        Devnet.open({"a": Faults(), "b": Faults()}, chain=Chain(block_time=BLOCK_S, start_height=1000)) as net,
        node_over(net, tmp_path / "node", WORKERS, {"LASSO_ADMIN_TOKEN": TOKEN}) as lasso,
    ):
        path = f"/admin/providers/public/{CHAIN}/a"
        await trio.to_thread.run_sync(order, lasso, f"{path}/cordon", b"")
        await trio.to_thread.run_sync(order, lasso, f"{path}/breaker", b'{"state": "open"}')
        obeyed = [(True, {"open"})] * 20
        with trio.move_on_after(ANSWER_S):  # the others are told a moment later
            while await listed(lasso, "a", len(obeyed)) != obeyed:  # noqa: ASYNC110 (other processes)
                await trio.sleep(LOOK_S)
        assert await listed(lasso, "a", len(obeyed)) == obeyed


async def listed(lasso: Lasso, provider: str, times: int) -> list[tuple[bool, set[str]]]:
    """Is it cordoned, and its breakers' states; asked over a connection of its own each time, so at any worker."""
    seen = []
    for _ in range(times):
        listing = await trio.to_thread.run_sync(order, lasso, "/admin/providers", None)
        (row,) = [row for row in listing["instances"] if f"public/{CHAIN}/{provider}" in row["names"]]
        seen.append((row["cordoned"], {channel["circuit_breaker"]["state"] for channel in row["channels"]}))
    return seen


def order(lasso: Lasso, path: str, body: bytes | None) -> Any:
    """A GET, or a POST where there is a body."""
    connection = http.client.HTTPConnection("127.0.0.1", lasso.port, timeout=60)
    with closing(connection):
        connection.request("GET" if body is None else "POST", path, body, {"authorization": f"Bearer {TOKEN}"})
        reply = connection.getresponse()
        assert reply.status == 200, reply.read(500)
        return json.load(reply)
