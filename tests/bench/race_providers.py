"""The three providers as one process on loopback: `python tests/bench/race_providers.py`.

Prints one line of JSON, the providers' URLs by name and the admin endpoint's under "admin", then serves until killed.
"""

from __future__ import annotations

import json
import time

import trio
from race_variants import CHAIN_ID, faults

from lasso_trio.devnet import Chain, Devnet

BLOCK_TIME_S = 2.0
HEIGHT = 1_000


def providers() -> Devnet:
    begun = int(time.time() - HEIGHT * BLOCK_TIME_S)  # noqa: TID251 — blocks bear the wall clock's time
    return Devnet.make(faults(), chain=Chain(CHAIN_ID, BLOCK_TIME_S, HEIGHT, begun), admin_port=0)


async def main() -> None:
    net = providers()
    async with trio.open_nursery() as nursery:
        await nursery.start(net.run)
        urls = {name: net.url(name) for name in net.providers}
        print(json.dumps(urls | {"admin": f"http://127.0.0.1:{net.admin_port}"}), flush=True)


if __name__ == "__main__":
    trio.run(main)
