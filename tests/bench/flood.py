"""A flood from upstream: 100 000 notifications a minute, one client. Part of `nox -s bench -- streams`.

The provider is a WebSocket server of this process that tells of one pending transaction after another, each once.
Each must reach the client once. What it costs is the node's CPU, by process accounting.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import attrs
import failover
import trio
from trio_websocket import WebSocketConnection, WebSocketRequest, open_websocket_url, serve_websocket

PER_MINUTE: Final = 100_000
_ANSWERS: Final[Mapping[str, str]] = {"eth_chainId": "0x7a69", "eth_blockNumber": "0x10", "net_version": "31337"}
_TELL: Final = '{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x2","result":"0x%064x"}}'
_ASK: Final = '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newPendingTransactions"]}'


@attrs.define(eq=False)
class Flood:
    """`told` by the provider, `heard` by the client."""

    seconds: float
    told: int = 0
    heard: set[str] = attrs.field(factory=set)
    repeated: int = 0
    begun: trio.Event = attrs.field(factory=trio.Event)
    over: trio.Event = attrs.field(factory=trio.Event)

    async def provide(self, request: WebSocketRequest) -> None:
        socket = await request.accept()
        async with trio.open_nursery() as nursery:
            while True:
                message = json.loads(await socket.get_message())
                kind = (message.get("params") or [""])[0]
                if message["method"] != "eth_subscribe":
                    result = _ANSWERS.get(message["method"], "0x0")
                else:
                    result = "0x2" if kind == "newPendingTransactions" else "0x1"
                await socket.send_message(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}))
                if kind == "newPendingTransactions":
                    nursery.start_soon(self.tell, socket)

    async def tell(self, socket: WebSocketConnection) -> None:
        await self.begun.wait()
        started, due = trio.current_time(), 0
        while trio.current_time() - started < self.seconds:
            due = int((trio.current_time() - started) * PER_MINUTE / 60)
            for number in range(self.told, due):
                await socket.send_message(_TELL % number)
            self.told = max(self.told, due)
            await trio.sleep(0.005)
        self.over.set()

    async def listen(self, url: str) -> None:
        async with open_websocket_url(url) as socket:
            await socket.send_message(_ASK)
            while True:
                message: dict[str, Any] = json.loads(await socket.get_message())
                if message.get("id") == 1:
                    self.begun.set()
                elif message.get("method") == "eth_subscription":
                    result = message["params"]["result"]
                    self.repeated += result in self.heard
                    self.heard.add(result)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(seconds: float) -> tuple[Flood, float]:
    """What was told and heard, and the share of a core that the node took."""
    flood = Flood(seconds)
    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve_websocket, flood.provide, "127.0.0.1", 0, None)
        with tempfile.TemporaryDirectory() as folder:
            line = f"      - {{id: flood, ws_url: 'ws://127.0.0.1:{server.port}'}}\n"
            process, port = await trio.to_thread.run_sync(failover.start_lasso, Path(folder), line)
            try:
                nursery.start_soon(flood.listen, f"ws://127.0.0.1:{port}/ws/rpc/bench")
                await flood.begun.wait()
                before, at = cpu_s(process.pid), perf_counter()
                await flood.over.wait()
                await trio.sleep(1)
                share = (cpu_s(process.pid) - before) / (perf_counter() - at)
            finally:
                process.kill()
                process.wait()
        nursery.cancel_scope.cancel()
    return flood, share


def main(seconds: float) -> list[str]:
    """Print the figures; what is missed."""
    flood, share = trio.run(measure, seconds)
    lost = flood.told - len(flood.heard)
    each = share * seconds / max(1, flood.told) * 1e6
    print(
        f"flood: {flood.told} notifications in {seconds:g} s ({PER_MINUTE} a minute), {lost} lost, "
        f"{flood.repeated} repeated; {share:.1%} of a core, {each:.0f} µs each"
    )
    return (
        [f"{lost} of {flood.told} notifications were lost, {flood.repeated} repeated"] if lost or flood.repeated else []
    )


if __name__ == "__main__":
    for text in main(30.0):
        print(f"mark missed: {text}")
