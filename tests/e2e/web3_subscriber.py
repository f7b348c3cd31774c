"""web3.py's clients, in a process of their own: they run on another event loop than we do.

`python -m tests.e2e.web3_subscriber '{"url": …, "clients": n, "till": …}'` tells the lines of `node/subscriber.mjs`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
from web3 import AsyncWeb3, WebSocketProvider


def tell(client: int, kind: str, value: object = None) -> None:
    print(json.dumps({"client": client, "kind": kind, "value": value}), flush=True)  # noqa: T201


async def subscribe(client: int, url: str, till: str) -> None:
    async with AsyncWeb3(WebSocketProvider(url)) as w3:
        heads = await w3.eth.subscribe("newHeads")
        await w3.eth.subscribe("logs", {"address": w3.to_checksum_address(till)})
        tell(client, "live")
        async for message in w3.socket.process_subscriptions():
            told: Any = message["result"]
            tell(client, *(("head", head(told)) if message["subscription"] == heads else ("log", log(told))))
    tell(client, "stray", "the subscriptions ended")


def head(told: Any) -> list[object]:
    return [told["number"], told["hash"].to_0x_hex(), told["parentHash"].to_0x_hex()]


def log(told: Any) -> list[object]:
    texts = [told[name].to_0x_hex() for name in ("blockHash", "transactionHash", "data")]
    return [told["blockNumber"], texts[0], told["logIndex"], texts[1], texts[2], told["removed"]]


async def main(url: str, clients: int, till: str) -> None:
    async with anyio.create_task_group() as group:
        for client in range(clients):
            group.start_soon(subscribe, client, url, till)


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    anyio.run(main, task["url"], task["clients"], task["till"], backend="asyncio")
