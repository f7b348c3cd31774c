"""The known peer: `broadcast()` of the `websockets` library, which obeys the same orders as `fanout_lasso`."""

from __future__ import annotations

import asyncio  # noqa: TID251  (the peer's loop, in a process of its own)
import contextlib
import gc
import sys

from fanout_orders import Orders, payload
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from lasso_trio import descriptors

ID = f"0x{1:032x}"
BEFORE = f'{{"jsonrpc":"2.0","method":"eth_subscription","params":{{"subscription":"{ID}","result":'
ANSWER = f'{{"jsonrpc":"2.0","id":1,"result":"{ID}"}}'

members: set[ServerConnection] = set()


async def serve_one(client: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for _ in client:
            members.add(client)
            await client.send(ANSWER)
    members.discard(client)


async def main() -> None:
    server = await serve(serve_one, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    orders = Orders(lambda: len(members))
    loop = asyncio.get_running_loop()
    while (order := await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if order.startswith("publish"):
            orders.note_publish()
            broadcast(members, f"{BEFORE}{payload(int(order.split()[1])).decode()}}}}}")
        elif order.startswith("settle"):
            gc.collect()
        orders.report()


if __name__ == "__main__":
    descriptors.raise_limit()
    asyncio.run(main())
