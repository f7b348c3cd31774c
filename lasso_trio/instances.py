"""Owns the tasks that belong to single instances: today their probers. Each comes and goes with its instance.

    services ─ instances ─ prober 1:alchemy… · prober 1:infura…      each supervised, each in a cancel scope of its own

`run` is the nursery; who is started before it runs waits for it. Stopping an instance that has no task does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

import attrs
import trio

from lasso_trio.providers.prober import Prober
from lasso_trio.supervision import Supervisor, supervise


@attrs.define(eq=False)
class InstanceTasks:
    supervisor: Supervisor
    _scopes: dict[str, trio.CancelScope] = attrs.field(factory=dict)
    _waiting: list[Prober] = attrs.field(factory=list)
    _nursery: trio.Nursery | None = None

    def __len__(self) -> int:
        return len(self._scopes)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> NoReturn:
        """Until cancelled."""
        try:
            async with trio.open_nursery() as self._nursery:
                waiting, self._waiting = self._waiting, []
                self.start(waiting)
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
        raise AssertionError("it never ends by itself")

    def start(self, probers: Iterable[Prober]) -> None:
        """Let each probe from now on."""
        for prober in probers:
            if self._nursery is None:
                self._waiting.append(prober)
            else:
                name, scope = f"prober {prober.channel.instance_id}", trio.CancelScope()
                self._scopes[prober.channel.instance_id] = scope
                self._nursery.start_soon(self._life, prober, scope, name, name=name)

    def stop(self, instance_ids: Iterable[str]) -> None:
        """End what runs for these, at their next checkpoint. Probes in flight are given up."""
        for id_ in instance_ids:
            scope = self._scopes.pop(id_, None)
            if scope is not None:
                scope.cancel()
            self._waiting = [prober for prober in self._waiting if prober.channel.instance_id != id_]

    async def _life(self, prober: Prober, scope: trio.CancelScope, name: str) -> None:
        id_ = prober.channel.instance_id
        try:
            with scope:
                await supervise(name, prober.run, registry=self.supervisor)
        finally:
            if self._scopes.get(id_) is scope:  # the instance may have come back meanwhile
                del self._scopes[id_]
