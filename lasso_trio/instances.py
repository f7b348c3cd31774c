"""Owns the tasks that belong to single instances: their probers and keepers. Each comes and goes with its instance.

    services ─ instances ─ prober 1:alchemy… · keeper 1:alchemy…     each supervised, each in a cancel scope of its own

`run` is the nursery; who is started before it runs waits for it. Stopping an instance that has no task does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NoReturn, Protocol

import attrs
import trio

from lasso_trio.providers.channel import Channel
from lasso_trio.subscriptions.keeper import Keeper
from lasso_trio.supervision import Supervisor, supervise

PROBER: Final = "prober"
KEEPER: Final = "keeper"


class Worker(Protocol):
    """What runs for one instance until it is cancelled, or for good."""

    @property
    def channel(self) -> Channel: ...

    async def run(self) -> object: ...


@attrs.define(eq=False)
class InstanceTasks:
    """`_running` by the task's name, which is its kind and its instance's id."""

    supervisor: Supervisor
    _running: dict[str, tuple[Worker, trio.CancelScope]] = attrs.field(factory=dict)
    _waiting: dict[str, Worker] = attrs.field(factory=dict)
    _nursery: trio.Nursery | None = None

    def __len__(self) -> int:
        return len(self._running)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> NoReturn:
        """Until cancelled."""
        try:
            async with trio.open_nursery() as self._nursery:
                waiting, self._waiting = self._waiting, {}
                for name, worker in waiting.items():
                    self._start(name, worker)
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None
        raise AssertionError("it never ends by itself")

    def start(self, workers: Sequence[Worker], kind: str = PROBER) -> None:
        """Let each work from now on."""
        for worker in workers:
            self._start(f"{kind} {worker.channel.instance_id}", worker)

    def stop(self, instance_ids: Iterable[str]) -> None:
        """End what runs for these. Probes in flight are given up; a socket is closed when its calls are answered."""
        for name in [f"{kind} {id_}" for id_ in instance_ids for kind in (PROBER, KEEPER)]:
            self._waiting.pop(name, None)
            worker, scope = self._running.pop(name, (None, None))
            if isinstance(worker, Keeper):
                worker.leave()
            elif scope is not None:
                scope.cancel()

    def _start(self, name: str, worker: Worker) -> None:
        if self._nursery is None:
            self._waiting[name] = worker
            return
        scope = trio.CancelScope()
        self._running[name] = worker, scope
        self._nursery.start_soon(self._life, worker, scope, name, name=name)

    async def _life(self, worker: Worker, scope: trio.CancelScope, name: str) -> None:
        try:
            with scope:
                await supervise(name, worker.run, registry=self.supervisor)
        finally:
            if self._running.get(name) == (worker, scope):  # the instance may have come back meanwhile
                del self._running[name]
