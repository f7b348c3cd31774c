"""Nodes of one cluster as real processes, behind real DNS answers, over one provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import httpx
import trio

from lasso_trio.devnet import Chain, Devnet, Faults
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.names import Names
from tests.e2e.neighbours import NAME, Neighbour, free_port

PROVIDER = "steady"
PERFECT = Faults()
HOSTS = [f"127.0.0.{n}" for n in range(1, 6)]


@attrs.define(eq=False)
class Town:
    """A provider, a DNS server, and the nodes that were started."""

    names: Names
    net: Devnet
    url: str
    folder: Path
    client: httpx.AsyncClient
    port: int = attrs.field(factory=lambda: free_port(HOSTS))
    nodes: list[Neighbour] = attrs.field(factory=list)

    def list_hosts(self, *hosts: str) -> None:
        self.names.records = {(f"{NAME}.", "A"): list(hosts)}

    def node(self, host: str, node_id: str, secret: str = "s" * 64) -> Neighbour:
        folder = self.folder / host
        made = Neighbour(host, self.port, node_id, folder, self.client, self.names.address, self.url, secret)
        self.nodes.append(made)
        return made


@asynccontextmanager
async def town(folder: Path, faults: Faults = PERFECT) -> AsyncIterator[Town]:
    """`faults`: the provider's. At its end every node that runs is stopped, and must stop well."""
    client = httpx.AsyncClient(trust_env=False, timeout=10)
    provider = Devnet.open({PROVIDER: faults}, chain=Chain(CHAIN_ID, 1.0, 100))
    async with provider as net, client, trio.open_nursery() as nursery:
        names = Names()
        await nursery.start(names.serve)
        made = Town(names, net, net.url(PROVIDER), folder, client)
        try:
            yield made
            for node in made.nodes:
                await trio.to_thread.run_sync(node.stop)
        finally:
            for node in made.nodes:
                node.kill()
        nursery.cancel_scope.cancel()


async def until(seconds: float, truth: Callable[[], Awaitable[bool]], every_s: float = 0.2) -> None:
    """Wait for it, no longer than that."""
    with trio.fail_after(seconds):
        while not await truth():  # noqa: ASYNC110 (another process)
            await trio.sleep(every_s)


async def start_all(*nodes: Neighbour) -> None:
    async with trio.open_nursery() as nursery:
        for node in nodes:
            nursery.start_soon(node.start)
