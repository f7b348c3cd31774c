"""Every node is restarted, one after the other, behind nginx and under load: no call fails, no head is lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from tests.e2e import nginx, toolbox
from tests.e2e.caller import Caller
from tests.e2e.lasso import CHAIN
from tests.e2e.neighbours import Neighbour
from tests.e2e.town import HOSTS, start_all, town, until

CALLERS = 12
SUBSCRIBERS = 4
GOING_AWAY = 1012
ASK = b'{"jsonrpc":"2.0","id":%d,"method":"eth_gasPrice","params":[]}'

# As deploy/compose has it, on other addresses: tests/e2e/test_shipped_nginx.py tries the shipped server itself.
BALANCER = """
upstream lasso {{ least_conn; {servers} keepalive 64; keepalive_timeout 60s; }}
map $http_upgrade $lasso_connection {{ default upgrade; "" ""; }}
server {{
    listen 127.0.0.1:{port}; keepalive_requests 1000000;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $lasso_connection;
    proxy_next_upstream error timeout non_idempotent;
    location / {{ proxy_pass http://lasso; }}
    location /ws/ {{ proxy_pass http://lasso; proxy_next_upstream error timeout http_503; }}
}}
"""


@attrs.define(eq=False)
class Crowd:
    """Clients of nginx on `port`. `enough` ends them between two calls."""

    port: int
    enough: trio.Event = attrs.field(factory=trio.Event)
    served: int = 0
    failed: list[str] = attrs.field(factory=list)
    closed_with: list[int | None] = attrs.field(factory=list)
    heads: list[list[int]] = attrs.field(factory=list)

    async def have_seen_enough(self) -> bool:
        """Calls and heads, so that what was checked is no accident: by when is the machine's affair."""
        return self.served > 1_000 and all(len(heads) > 5 for heads in self.heads)

    async def call(self) -> None:
        caller = await Caller.connect(self.port, f"/rpc/fastest/{CHAIN}")
        try:
            while not self.enough.is_set():
                self.served += 1
                answer = await caller.call(ASK % self.served)
                if answer.status != 200 or b'"result"' not in answer.body:
                    self.failed.append(f"{answer.status} {answer.body[:200]!r}")
                await trio.sleep(0.01)
        finally:
            caller.close()

    async def subscribe(self) -> None:
        """Heads for as long as it is wanted; whenever the socket ends, another, from the head after the last."""
        heads: list[int] = []
        self.heads.append(heads)
        while not self.enough.is_set():
            stream = await trio.open_tcp_stream("127.0.0.1", self.port)
            async with stream, trio.open_nursery() as nursery:
                try:
                    socket = await wrap_client_stream(nursery, stream, "lasso", f"/ws/rpc/{CHAIN}")
                    await self._listen(socket, heads)
                except ConnectionClosed as closed:
                    self.closed_with.append(closed.reason.code if closed.reason else None)
                nursery.cancel_scope.cancel()

    async def _listen(self, socket: WebSocketConnection, heads: list[int]) -> None:
        resume = [{"fromBlock": hex(heads[-1] + 1)}] if heads else []
        await socket.send_message(json.dumps({"id": 1, "method": "eth_subscribe", "params": ["newHeads", *resume]}))
        while not self.enough.is_set():
            with trio.move_on_after(0.2):
                said = json.loads(await socket.get_message())
                if "params" in said:
                    heads.append(int(said["params"]["result"]["number"], 16))
                elif "error" in said:
                    self.failed.append(str(said))


@asynccontextmanager
async def crowd(folder: Path, nodes: list[Neighbour]) -> AsyncIterator[Crowd]:
    """Clients that call and listen through nginx while the block runs."""
    made = Crowd(toolbox.free_port())
    servers = " ".join(f"server {node.host}:{node.port} max_fails=2 fail_timeout=1s;" for node in nodes)
    with nginx.running(folder / "nginx", BALANCER.format(servers=servers, port=made.port), made.port):
        async with trio.open_nursery() as nursery:
            for client in [made.call] * CALLERS + [made.subscribe] * SUBSCRIBERS:
                nursery.start_soon(client)
            yield made
            made.enough.set()


async def test_nodes_are_restarted_one_by_one_behind_nginx_and_nobody_notices(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        here.list_hosts(*HOSTS[:3])
        nodes = [here.node(host, f"eu-{n}") for n, host in enumerate(HOSTS[:3])]
        await start_all(*nodes)
        async with crowd(tmp_path, nodes) as clients:
            await trio.sleep(1)
            for node in nodes:
                await trio.to_thread.run_sync(node.stop)
                await node.start()
                await trio.sleep(1.5)  # nginx looks at it again
            await until(60, clients.have_seen_enough)
        assert clients.failed == [], clients.failed[:5]
        assert set(clients.closed_with) == {GOING_AWAY}
        for heads in clients.heads:
            assert heads == list(range(heads[0], heads[-1] + 1))
