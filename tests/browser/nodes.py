"""A cluster to look at: real nodes in three regions behind real DNS answers, each with its own way to the providers.

Nodes, names and providers live in a thread of their own, since the browser's side of these tests is not async.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
import trio

from lasso_trio.devnet import Chain, Devnet, Faults, Latency
from tests.browser.tools import Demo
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.lasso import CHAIN, PROFILE
from tests.e2e.names import Names
from tests.e2e.neighbours import CALL, NAME, Neighbour, free_port

HOSTS: Final = [f"127.0.0.{n}" for n in range(1, 6)]
WAYS: Final = {
    "us-east-1": {"alpha": 12, "beta": 34, "gamma": 90},
    "eu-west-1": {"alpha": 85, "beta": 14, "gamma": 30},
    "ap-south-1": {"alpha": 140, "beta": 70, "gamma": 18},
}
"""Milliseconds from a node to each provider."""
START_S: Final = 60.0
PAUSE_S: Final = 0.05
"""Between a node's calls."""


@attrs.define(eq=False)
class Node(Neighbour):
    """`providers`: their URLs by name, instead of one."""

    providers: dict[str, str] = attrs.field(factory=dict)

    def _started(self, command: list[str], env: dict[str, str]) -> Any:
        head = PROFILE.format(rps=10**6, burst=10**6, chain=CHAIN, chain_id=CHAIN_ID, settings="")
        rows = [f"      - {{id: {id_}, name: {id_.title()}, url: '{url}'}}\n" for id_, url in self.providers.items()]
        (self.folder / "profiles" / "public.yml").write_text(head + "".join(rows))
        return Neighbour._started(self, command, env)

    @property
    def seen(self) -> Demo:
        """As the browser's fixtures want it."""
        assert self.process is not None
        return Demo(self.base, "", self.process)


@attrs.define(eq=False)
class Land:
    """What `land` gives; everything is done by its thread."""

    folder: Path
    names: Names = attrs.field(factory=Names)
    port: int = attrs.field(factory=lambda: free_port(HOSTS))
    nodes: dict[str, Node] = attrs.field(factory=dict)
    ready: threading.Event = attrs.field(factory=threading.Event)
    fault: BaseException | None = None
    net: Any = None
    client: Any = None
    _token: trio.lowlevel.TrioToken | None = None
    _over: trio.Event = attrs.field(factory=trio.Event)
    _calling: bool = True

    def run(self, act: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """`act` in the thread; gives its result."""
        return trio.from_thread.run(act, *args, trio_token=self._token)

    def list_hosts(self, *hosts: str) -> None:
        self.names.records = {(f"{NAME}.", "A"): list(hosts)}

    def add(self, host: str, node_id: str, secret: str = "s" * 64) -> Node:
        """One more node, with the ways of `us-east-1`; started, and not yet in DNS."""
        return self.run(self._add, host, node_id, secret)  # type: ignore[no-any-return]

    def serve(self) -> None:
        """The thread."""
        try:
            trio.run(self._serve)
        except BaseException as fault:
            self.fault = fault
        finally:
            self.ready.set()

    def end(self) -> None:
        if self._token is not None and self.fault is None:
            trio.from_thread.run_sync(self._over.set, trio_token=self._token)

    async def _serve(self) -> None:
        faults = {
            f"{id_} {name}": Faults(latency=Latency.lognormal(ms, 0.25))
            for id_, ways in WAYS.items()
            for name, ms in ways.items()
        }
        client = httpx.AsyncClient(trust_env=False, timeout=10)
        net = Devnet.open(faults, chain=Chain(CHAIN_ID, 1.0, 100))
        async with net as self.net, client as self.client, trio.open_nursery() as nursery:
            await nursery.start(self.names.serve)
            self.list_hosts(*HOSTS[: len(WAYS)])
            try:
                await self._live(nursery)
            finally:
                for node in self.nodes.values():
                    node.kill()
                nursery.cancel_scope.cancel()

    async def _live(self, nursery: trio.Nursery) -> None:
        for host, id_ in zip(HOSTS, WAYS, strict=False):
            with trio.fail_after(START_S):
                await self._add(host, id_, "s" * 64)
        for node in self.nodes.values():
            nursery.start_soon(self._keep_calling, node)
        self._token = trio.lowlevel.current_trio_token()
        self.ready.set()
        await self._over.wait()
        self._calling = False
        for node in self.nodes.values():
            if node.process is not None and node.process.poll() is None:
                await trio.to_thread.run_sync(node.stop)

    async def _add(self, host: str, node_id: str, secret: str) -> Node:
        ways = WAYS.get(node_id, WAYS["us-east-1"])
        own = node_id if node_id in WAYS else "us-east-1"
        urls = {name: self.net.url(f"{own} {name}") for name in ways}
        folder = self.folder / host
        node = Node(host, self.port, node_id, folder, self.client, self.names.address, "", secret, providers=urls)
        self.nodes[host] = node
        await node.start()
        return node

    async def _keep_calling(self, node: Node) -> None:
        while self._calling:
            with suppress(httpx.TransportError):  # it was killed
                await self.client.post(f"{node.base}/rpc/load-balanced/{CHAIN}", json=CALL)
            await trio.sleep(PAUSE_S)


@contextmanager
def land(folder: Path) -> Iterator[Land]:
    """Three nodes under calls, found by each other or about to be. At the end those that run must stop well."""
    made = Land(folder)
    thread = threading.Thread(target=made.serve)
    thread.start()
    made.ready.wait()
    try:
        assert made.fault is None, made.fault
        yield made
    finally:
        made.end()
        thread.join()
    assert made.fault is None, made.fault
