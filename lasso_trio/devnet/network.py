"""Several simulated providers over one chain, to be killed, revived, spoiled and reorganised while they serve.

`Devnet` owns its providers' tasks: everything lives in the nursery of `run` (or `open`) and ends with it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import attrs
import trio

from lasso_trio.devnet import admin
from lasso_trio.devnet.chain import Chain
from lasso_trio.devnet.faults import Faults
from lasso_trio.devnet.provider import Provider


@attrs.define(eq=False)
class _Running:
    """A provider that is being served: cancel the scope, then `ended` is set."""

    scope: trio.CancelScope
    ended: trio.Event


@attrs.define(eq=False)
class Devnet:
    """`providers` by name. `ports` asks for fixed ones (default: any), `admin_port` for the admin endpoint."""

    chain: Chain
    providers: Mapping[str, Provider]
    ports: Mapping[str, int] = attrs.field(factory=dict)
    admin_port: int | None = None
    _running: dict[str, _Running] = attrs.field(factory=dict, init=False)
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)

    @classmethod
    def make(
        cls,
        faults: Mapping[str, Faults],
        *,
        chain: Chain | None = None,
        ports: Mapping[str, int] | None = None,
        admin_port: int | None = None,
        seed: int = 0,
    ) -> Devnet:
        """A devnet with one provider per name. The same seed brings the same misfortunes in the same order."""
        chain = chain or Chain()
        providers = {name: Provider.make(name, chain, its, seed) for name, its in faults.items()}
        return cls(chain, providers, ports or {}, admin_port)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        faults: Mapping[str, Faults],
        *,
        chain: Chain | None = None,
        ports: Mapping[str, int] | None = None,
        admin_port: int | None = None,
        seed: int = 0,
    ) -> AsyncIterator[Devnet]:
        """`make` it and serve it for the length of a block, whose errors come out in an exception group."""
        devnet = cls.make(faults, chain=chain, ports=ports, admin_port=admin_port, seed=seed)
        async with trio.open_nursery() as nursery:
            await nursery.start(devnet.run)
            yield devnet
            nursery.cancel_scope.cancel("the devnet's block is over")

    async def run(self, *, task_status: trio.TaskStatus[Devnet] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; started when every port listens. Raises OSError when a port is taken."""
        self.chain.start(trio.current_time())
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                for name in self.providers:
                    await self.revive(name)
                if self.admin_port is not None:
                    self.admin_port = await nursery.start(admin.serve, self, self.admin_port)
                task_status.started(self)
                await trio.sleep_forever()
            finally:
                self._nursery = None

    def url(self, name: str) -> str:
        """Where a provider answers HTTP. Raises KeyError, or RuntimeError before it was ever served."""
        return f"http://127.0.0.1:{self._port(name)}"

    def ws_url(self, name: str) -> str:
        return f"ws://127.0.0.1:{self._port(name)}"

    def is_up(self, name: str) -> bool:
        return name in self._running

    async def kill(self, name: str) -> None:
        """Close a provider's listener and connections, as when its process dies. Nothing happens when it is down."""
        self._get(name)
        if running := self._running.get(name):
            running.scope.cancel("killed")
            await running.ended.wait()

    async def revive(self, name: str) -> None:
        """Serve a killed provider again, on the port it had. Raises OSError when somebody took it meanwhile."""
        provider = self._get(name)
        if self._nursery is None:
            raise RuntimeError("the devnet is not running")
        if name not in self._running:
            await self._nursery.start(self._serve, provider, name=f"devnet provider {name}")

    def set_faults(self, name: str, faults: Faults | None = None) -> None:
        """Replace what a provider does wrong; None means nothing any more. Raises KeyError for an unknown name."""
        self._get(name).set_faults(faults or Faults())

    def reorg(self, depth: int, *, longer_by: int = 0) -> None:
        """Replace the newest `depth` blocks. Subscribers get the new heads, and logs with `removed: true`."""
        self.chain.reorg(depth, trio.current_time(), longer_by=longer_by)
        self._announce()

    def advance(self, blocks: int = 1) -> None:
        """Make blocks at once."""
        self.chain.advance(blocks)
        self._announce()

    def _announce(self) -> None:
        for provider in self.providers.values():
            provider.announce_change()

    def _get(self, name: str) -> Provider:
        if name not in self.providers:
            raise KeyError(f"no provider {name!r}; there are {', '.join(self.providers)}")
        return self.providers[name]

    def _port(self, name: str) -> int:
        port = self._get(name).port
        if port is None:
            raise RuntimeError(f"{name} has no port yet: the devnet is not running")
        return port

    async def _serve(self, provider: Provider, *, task_status: trio.TaskStatus[int]) -> None:
        running = _Running(trio.CancelScope(), trio.Event())
        listeners = await provider.listen(provider.port or self.ports.get(provider.name, 0))
        self._running[provider.name] = running
        try:
            with running.scope:
                task_status.started(listeners[0].socket.getsockname()[1])
                await trio.serve_listeners(provider.handle, listeners)
        finally:
            del self._running[provider.name]
            running.ended.set()
